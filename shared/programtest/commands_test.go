package programtest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"example.com/netrpc/shared/programtest"
	"example.com/netrpc/shared/readme"
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
	goRun     = regexp.MustCompile(`go run \./(\w+/(?:server|client|demo))`)
	client    = regexp.MustCompile(`^(?:go run \./|python3 |node )(\w+)/client`)
	address   = regexp.MustCompile(`(localhost|127\.0\.0\.1|\[::1\]):(\d+)`)
	listening = regexp.MustCompile(`(?m)^(\w+)/server: listening on (?:127\.0\.0\.1|\[::1\]):\d+$`)
	operator  = regexp.MustCompile(`[;&|]`)
)

// start starts a server, in place of the command that starts it on its default port.
func (sh *shell) start(command string) (printed string, err error) {
	match := goRun.FindStringSubmatch(command)
	if match == nil {
		return "", fmt.Errorf("no server of this repository")
	}
	args := append([]string{"-addr", "127.0.0.1:0"}, strings.Fields(command)[3:]...)
	server, err := sh.programs.Start(sh.programs.Path(match[1]), args...)
	if err != nil {
		return "", err
	}
	sh.running = append(sh.running, server)
	sh.ports[port(path.Dir(match[1]))] = server.Addr[strings.LastIndex(server.Addr, ":")+1:]
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
	if match := client.FindStringSubmatch(command); match != nil && !strings.Contains(command, "-addr") {
		command += " -addr localhost:" + port(match[1])
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

// documented returns printed with the page's ports in place of those in use. Another port
// stays as it is, and is marked if the page has it: then it is right by accident.
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
	failure  = regexp.MustCompile(`(?m)^(?:\w+/(?:server|client)|client\.\w+|demo): `)
	failed   = regexp.MustCompile(`(?m)^FAIL$`)
	building = regexp.MustCompile(`(?m)^demo: still building .*\n`)
	own      = regexp.MustCompile(`(?m)^    (?:[^\s-]|  [^\s]).*\n`) // what a test writes, which is indented by four
)

// do runs a step and reports what differs from the page.
func (sh *shell) do(t *testing.T, page string, s readme.Step) {
	t.Helper()
	var got string
	var exitCode, wantCode int
	var err error
	switch {
	case s.Command == "":
		got, err = sh.stop()
	case strings.HasPrefix(s.Command, "go run ./") && strings.Contains(s.Command, "/server") && strings.HasPrefix(s.Want, s.Command[len("go run ./"):strings.Index(s.Command, "/server")]+"/server: listening on "):
		got, err = sh.start(s.Command)
	default:
		command := s.Command
		if command == "go run ./shared/demo" {
			temp := t.TempDir()
			defer checkEmpty(t, temp)
			command = "env TMPDIR='" + temp + "' " + command
		}
		got, exitCode, err = sh.run(t.Context(), command)
		got = building.ReplaceAllString(got, "")
		if evidence.MatchString(s.Command) { // what the test has seen, also if it now wants something else
			lines := slices.DeleteFunc(own.FindAllString(got, -1), func(line string) bool { return strings.Contains(line, "_test.go:") })
			got, wantCode = strings.Join(lines, ""), exitCode
		}
		if wantCode == 0 && failure.MatchString(s.Want) && !strings.Contains(s.Command, "demo") || failed.MatchString(s.Want) ||
			strings.HasPrefix(s.Command, "diff ") && s.Want != "" {
			wantCode = 1
		}
		if badUsage.MatchString(s.Want) {
			wantCode = 2
		}
	}
	if steady(got) != steady(s.Want) {
		t.Errorf("%s:%d: %s printed\n%s\nwant\n%s", page, s.Line, s.Command, got, s.Want)
	}
	if exitCode != wantCode || err != nil {
		t.Errorf("%s:%d: %s: exit code %d, %v, want exit code %d", page, s.Line, s.Command, exitCode, err, wantCode)
	}
}

// recursive reports whether a command would run this test again, or is one of the Makefile.
// What it runs is tested here: the Makefile must have it.
func recursive(t *testing.T, s readme.Step) bool {
	t.Helper()
	if s.Command != "go test ./..." && !strings.HasPrefix(s.Command, "make ") {
		return false
	}
	makefile, err := os.ReadFile(root + "/Makefile")
	if err != nil {
		t.Fatal(err)
	}
	target := strings.TrimPrefix(s.Command, "make ")
	if s.Want != "" || s.Command != "go test ./..." && !regexp.MustCompile(`(?m)^[\w ]*\b`+target+`\b[\w ]*:`).Match(makefile) {
		t.Errorf("line %d: %s: the Makefile does not have it, or nothing tests what it prints", s.Line, s.Command)
	}
	return true
}

// evidence is a command that shows what a test has seen.
var evidence = regexp.MustCompile(`^go test -v -run '\^(\w+)\$' (\./[\w/]+)$`)

// quoted are the steps of evidence, by package and test.
type quoted map[string]map[string][]quote

type quote struct {
	page string
	readme.Step
}

// check runs the tests of each package once, and compares what each has written with the pages.
func (q quoted) check(t *testing.T) {
	for folder, tests := range q {
		pattern := "^(" + strings.Join(slices.Sorted(maps.Keys(tests)), "|") + ")$"
		result, err := programs(t).Run(t.Context(), "sh", "-c", "cd '"+root+"' && exec go test -json -run '"+pattern+"' "+folder)
		if err != nil || result.ExitCode != 0 {
			t.Errorf("go test -run '%s' %s: exit code %d, %v, %s%s", pattern, folder, result.ExitCode, err, result.Stdout, result.Stderr)
			continue
		}
		written := map[string]string{}
		for decoder := json.NewDecoder(strings.NewReader(result.Stdout)); decoder.More(); {
			var event struct{ Test, Output string }
			if err := decoder.Decode(&event); err != nil {
				t.Fatal(err)
			}
			name, _, _ := strings.Cut(event.Test, "/")
			// What a test writes is indented; what net/rpc logs meanwhile is not.
			if strings.HasPrefix(event.Output, "    ") && !strings.HasPrefix(strings.TrimSpace(event.Output), "--- ") {
				written[name] += event.Output
			}
		}
		for name, quotes := range tests {
			for _, quote := range quotes {
				if written[name] != quote.Want {
					t.Errorf("%s:%d: %s writes\n%s\nwant\n%s", quote.page, quote.Line, name, written[name], quote.Want)
				}
			}
		}
	}
}

// Every command of a page runs and prints what stands below it, and fails if an error stands
// there. A server goes on running until a line ^C. Of go test -v the page has what the test
// writes, without the lines that go test puts around it. The twins have the same commands.
func TestCommandsPrintWhatStandsBelowThem(t *testing.T) {
	t.Parallel()
	skipOnWindows(t)
	look(t)
	names, err := readme.English(root)
	if err != nil {
		t.Fatal(err)
	}
	shown := quoted{}
	var tests sync.WaitGroup
	defer tests.Wait()
	for _, name := range names {
		page, err := readme.Read(root, name)
		if err != nil {
			t.Fatal(err)
		}
		var steps []readme.Step
		exercise := false
		for _, block := range page.Blocks {
			exercise = block.Answer && (exercise || block.Language == "diff")
			if block.Language != "console" || exercise || strings.HasPrefix(name, "shared/SERVICE.") {
				continue // other tests make the change first, and build the service
			}
			some, err := block.Steps()
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			for _, s := range some {
				if match := evidence.FindStringSubmatch(s.Command); match != nil && s.Want != "" {
					if shown[match[2]] == nil {
						shown[match[2]] = map[string][]quote{}
					}
					shown[match[2]][match[1]] = append(shown[match[2]][match[1]], quote{name, s})
				} else if !recursive(t, s) {
					steps = append(steps, s)
				}
			}
		}
		t.Run(strings.ReplaceAll(name, "/", "_"), func(t *testing.T) {
			t.Parallel()
			sh := newShell(t, root, programs(t))
			for _, s := range steps {
				if tool := strings.Fields(s.Command + " ^C")[0]; tool == "python3" || tool == "node" {
					interpreter(t, strings.Fields(s.Command)[1]) // or the rest of the page is skipped
				}
				if tool := strings.Fields(s.Command + " ^C")[0]; tool != "^C" && os.Getenv("CI") != "true" {
					if _, err := exec.LookPath(tool); err != nil {
						t.Logf("line %d: not run: %v", s.Line, err)
						continue
					}
				}
				sh.do(t, name, s)
			}
		})
	}
	shown.check(t)
}

// An exercise changes the code as its diff says, in a copy, and its commands print what the
// answer says. It takes long: each compiles what it has changed.
func TestExercisesHaveTheAnswersThatAreFoldedAway(t *testing.T) {
	inCI(t)
	t.Parallel()
	skipOnWindows(t)
	names, err := readme.English(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		page, err := readme.Read(root, name)
		if err != nil {
			t.Fatal(err)
		}
		var sh *shell
		for _, block := range page.Blocks {
			switch {
			case block.Answer && block.Language == "diff":
				copied := t.TempDir()
				if err := os.CopyFS(copied, withoutGit{os.DirFS(root)}); err != nil {
					t.Fatal(err)
				}
				change(t, filepath.Join(copied, block.Source), block.Text)
				sh = newShell(t, copied, programs(t))
				if folder := path.Dir(path.Dir(block.Source)); path.Base(block.Source) == "main.go" {
					built, err := programtest.Build(t.Context(), copied, folder+"/server", folder+"/client")
					if err != nil {
						t.Fatal(err)
					}
					t.Cleanup(func() { built.Close() })
					sh.programs = built
				}
			case !block.Answer:
				sh = nil
			case block.Language == "console" && sh != nil:
				steps, err := block.Steps()
				if err != nil {
					t.Errorf("%s: %v", name, err)
				}
				for _, s := range steps {
					sh.do(t, name, s)
				}
			}
		}
	}
}

// withoutGit is a file system without the folder .git, which changes while git works.
type withoutGit struct{ fs.FS }

func (w withoutGit) ReadDir(name string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(w.FS, name)
	return slices.DeleteFunc(entries, func(e fs.DirEntry) bool { return e.Name() == ".git" }), err
}
