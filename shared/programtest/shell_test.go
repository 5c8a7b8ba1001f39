package programtest_test

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"example.com/netrpc/shared/programtest"
)

// shell runs the commands of a page: servers on free ports, and the rest with those ports.
type shell struct {
	root     string // of the repository, or of a copy
	programs *programtest.Programs
	running  []*programtest.Server
	ports    map[string]string // those of the page → those in use
}

func newShell(t *testing.T, root string, programs *programtest.Programs) *shell {
	t.Helper()
	// Nobody listens on the lowest ports: they are reserved, and for root only.
	sh := &shell{root: root, programs: programs, ports: map[string]string{}}
	for i, pair := range programtest.Pairs {
		sh.ports[pair.Port] = fmt.Sprint(i + 1)
	}
	t.Cleanup(func() {
		for len(sh.running) > 0 {
			if _, err := sh.stop(); err != nil {
				t.Errorf("a server, stopped at the end: %v", err)
			}
		}
	})
	return sh
}

// port returns the port at which a folder's programs meet by default.
func port(folder string) string {
	i := slices.IndexFunc(programtest.Pairs, func(p programtest.Pair) bool { return p.Folder == folder })
	return programtest.Pairs[i].Port
}

var (
	goServer  = regexp.MustCompile(`^go run \./(\w+)/server`)
	goRun     = regexp.MustCompile(`go run \./(\w+/(?:server|client|demo))`)
	client    = regexp.MustCompile(`^(?:go run \./|python3 |node )(\w+)/client\S*`)
	address   = regexp.MustCompile(`(localhost|127\.0\.0\.1|\[::1\]):(\d+)`)
	listening = regexp.MustCompile(`(?m)^(\w+)/server: listening on (?:127\.0\.0\.1|\[::1\]):\d+$`)
	operator  = regexp.MustCompile(`[;&|]`)
)

// start starts the server of a folder, in place of the command that starts it on its default port.
func (sh *shell) start(folder, command string) (printed string, err error) {
	args := append([]string{"-addr", "127.0.0.1:0"}, strings.Fields(command)[3:]...)
	server, err := sh.programs.Start(sh.programs.Path(folder+"/server"), args...)
	if err != nil {
		return "", err
	}
	sh.running = append(sh.running, server)
	sh.ports[port(folder)] = server.Addr[strings.LastIndex(server.Addr, ":")+1:]
	return sh.documented(server.First + "\n"), nil
}

// stop stops the server that was started last.
func (sh *shell) stop() (printed string, err error) {
	last := len(sh.running) - 1
	if last < 0 {
		return "", fmt.Errorf("no server runs")
	}
	printed, err = sh.running[last].Stop()
	sh.running = sh.running[:last]
	return sh.documented(printed), err
}

// run runs any other command to its end.
func (sh *shell) run(ctx context.Context, command string) (printed string, exitCode int, err error) {
	if match := client.FindStringSubmatch(command); match != nil { // flags of the page come later, and count
		command = strings.Replace(command, match[0], match[0]+" -addr localhost:"+port(match[1])+" -timeout 100s", 1)
	}
	if strings.HasSuffix(command, "go run ./shared/demo") {
		command += " -addr localhost:0"
	}
	command = goRun.ReplaceAllStringFunc(command, func(s string) string {
		return "'" + sh.programs.Path(strings.TrimPrefix(s, "go run ./")) + "'"
	})
	command = address.ReplaceAllStringFunc(command, func(s string) string {
		host, port, _ := strings.Cut(s, ":")
		if used := sh.ports[port]; used != "" {
			port = used
		}
		return host + ":" + port
	})
	if !operator.MatchString(command) {
		command = "exec " + command // so that it is this process which gets a signal
	}
	// curl shall ask no proxy for what is on this machine.
	result, err := sh.programs.Run(ctx, "sh", "-c", "exec 2>&1; export no_proxy='*'; cd '"+sh.root+"' || exit; "+command)
	return sh.documented(result.Stdout), result.ExitCode, err
}

// documented returns printed with the page's ports in place of those in use.
func (sh *shell) documented(printed string) string {
	printed = listening.ReplaceAllStringFunc(printed, func(line string) string {
		folder := listening.FindStringSubmatch(line)[1]
		return folder + "/server: listening on 127.0.0.1:" + port(folder) // what localhost is differs
	})
	return address.ReplaceAllStringFunc(printed, func(s string) string {
		match := address.FindStringSubmatch(s)
		host := strings.Replace(match[1], "[::1]", "127.0.0.1", 1)
		for port, used := range sh.ports {
			if match[2] == used {
				return host + ":" + port
			}
		}
		return s
	})
}

var (
	badUsage = regexp.MustCompile(`(?m)^\S+: -\w+ `)
	failure  = regexp.MustCompile(`(?m)^(?:(?:\w+/)?(?:server|client)|client\.\w+|demo): `)
	failed   = regexp.MustCompile(`(?m)^FAIL$`)
	building = regexp.MustCompile(`(?m)^demo: still building .*\n`)
	verdict  = regexp.MustCompile(`(?m)^.*_test\.go:.*\n`)           // the first line of what a test says of it
	own      = regexp.MustCompile(`(?m)^    (?:[^\s-]|  [^\s]).*\n`) // what a test writes, which is indented by four
)

// seen returns what a test has seen, from what go test -v prints.
func seen(printed string) string {
	return strings.Join(own.FindAllString(verdict.ReplaceAllString(printed, ""), -1), "")
}

// exitCode is how a command ends that prints what stands below it.
func exitCode(s programtest.Step) int {
	switch {
	case badUsage.MatchString(s.Want):
		return 2
	case failed.MatchString(s.Want), failure.MatchString(s.Want) && !strings.Contains(s.Command, "demo"):
		return 1
	}
	return 0
}

// do runs a step and reports what differs from the page.
func (sh *shell) do(t *testing.T, page string, s programtest.Step) {
	t.Helper()
	var got string
	var code, wantCode int
	var err error
	match := goServer.FindStringSubmatch(s.Command)
	switch {
	case s.Command == "^C":
		got, err = sh.stop()
	case match != nil && strings.HasPrefix(s.Want, match[1]+"/server: listening on "):
		got, err = sh.start(match[1], s.Command)
	default:
		command := s.Command
		if command == "go run ./shared/demo" {
			temp := t.TempDir()
			defer checkEmpty(t, temp)
			command = "env TMPDIR='" + temp + "' " + command
		}
		got, code, err = sh.run(t.Context(), command)
		got, wantCode = building.ReplaceAllString(got, ""), exitCode(s)
		if evidence.MatchString(s.Command) { // also if the test now wants something else
			got, wantCode = seen(got), code
		}
	}
	if steady(got) != steady(s.Want) {
		t.Errorf("%s:%d: %s printed\n%s\nwant\n%s", page, s.Line, s.Command, got, s.Want)
	}
	if code != wantCode || err != nil {
		t.Errorf("%s:%d: %s: exit code %d, %v, want exit code %d", page, s.Line, s.Command, code, err, wantCode)
	}
}

// evidence is a command that shows what a test has seen.
var evidence = regexp.MustCompile(`^go test -v -run '\^(\w+)\$' (\./[\w/]+)$`)
