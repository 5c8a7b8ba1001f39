// Package readme checks the READMEs: what they quote, name and link to exists, and every
// command prints what stands below it.
package readme

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"example.com/netrpc/shared/programtest"
)

// root is the repository, seen from here. Files are named as from there.
const root = "../.."

// english are the READMEs; each has a Chinese twin beside it, which says the same.
var english = []string{"README.md", "shared/README.md"}

func chinese(name string) string { return strings.Replace(name, "README", "README.zh-CN", 1) }

func all() []string {
	var names []string
	for _, name := range english {
		names = append(names, name, chinese(name))
	}
	return names
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(text), "\r\n", "\n")
}

// fence is a fenced block.
type fence struct {
	language, text string
	line           int
	source         string // the last Go file that the text above links to
}

var goLink = regexp.MustCompile(`\]\(([\w./-]+\.go)\)`)

// fences returns the fenced blocks of a README, and its text with empty lines in their place.
func fences(t *testing.T, name string) (blocks []fence, prose string) {
	t.Helper()
	var open *fence
	source := ""
	for i, line := range strings.SplitAfter(read(t, name), "\n") {
		switch {
		case open != nil && line == "```\n":
			blocks = append(blocks, *open)
			open = nil
			prose += "\n"
		case open != nil:
			open.text += line
			prose += "\n"
		case strings.HasPrefix(line, "```"):
			open = &fence{language: strings.TrimSpace(line[3:]), line: i + 1, source: source}
			prose += "\n"
		default:
			prose += line
			for _, link := range goLink.FindAllStringSubmatch(line, -1) {
				source = path.Join(path.Dir(name), link[1])
			}
		}
	}
	if open != nil {
		t.Errorf("%s:%d: the block does not end", name, open.line)
	}
	return blocks, prose
}

// A go block stands in the file that the text above it links to; a text block stands there
// as the output of an Example.
func TestREADMEsQuoteTheCode(t *testing.T) {
	for _, name := range all() {
		blocks, _ := fences(t, name)
		for _, block := range blocks {
			text := block.text
			switch block.language {
			case "text":
				text = regexp.MustCompile(`(?m)^`).ReplaceAllString(strings.TrimSuffix(text, "\n"), "\t// ")
				text = strings.ReplaceAll(text, "\t// \n", "\t//\n")
			case "go":
			case "console", "mermaid":
				continue
			default:
				t.Errorf("%s:%d: nobody checks a block of %q", name, block.line, block.language)
				continue
			}
			if block.source == "" {
				t.Errorf("%s:%d: no Go file is linked to above the block", name, block.line)
			} else if !strings.Contains(read(t, block.source), text) {
				t.Errorf("%s:%d: not in %s:\n%s", name, block.line, block.source, block.text)
			}
		}
	}
}

var (
	testName = regexp.MustCompile(`\b(?:Test|Example|Benchmark)[A-Z_]\w*`)
	declared = regexp.MustCompile(`(?m)^func ((?:Test|Example|Benchmark)\w+)\(`)
	link     = regexp.MustCompile(`\[([^\]]*)\]\(([^)]*)\)`)
	testRun  = regexp.MustCompile(`go test .*-run '?\^?((?:Test|Example)\w+)\$?'? \./(\w+)`)
	heading  = regexp.MustCompile(`(?m)^#+ (.*)$`)
)

// Every test that a README, or the code, names exists, and one that a README has run is in
// the folder that the command names.
func TestNamedTestsExist(t *testing.T) {
	exists := map[string]bool{"TestMain": true} // test, or folder/test
	texts := map[string]string{}
	err := filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && entry.Name() == ".git" {
			return fs.SkipDir // it changes while git works
		}
		if err != nil || !entry.Type().IsRegular() || filepath.Ext(file) != ".go" && filepath.Ext(file) != ".md" {
			return err
		}
		text, err := os.ReadFile(file)
		name, _ := filepath.Rel(root, file)
		name = filepath.ToSlash(name)
		texts[name] = string(text)
		if strings.HasSuffix(name, "_test.go") {
			for _, match := range declared.FindAllStringSubmatch(string(text), -1) {
				exists[match[1]], exists[path.Dir(name)+"/"+match[1]] = true, true
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range texts {
		for i, line := range strings.Split(text, "\n") {
			for _, test := range testName.FindAllString(line, -1) {
				if !exists[test] {
					t.Errorf("%s:%d: names %s, which does not exist", name, i+1, test)
				}
			}
			for _, match := range testRun.FindAllStringSubmatch(line, -1) {
				if filepath.Ext(name) == ".md" && !exists[match[2]+"/"+match[1]] {
					t.Errorf("%s:%d: %s is not in ./%s", name, i+1, match[1], match[2])
				}
			}
		}
	}
}

// anchors returns what GitHub makes of the headings of a README.
func anchors(t *testing.T, name string) map[string]bool {
	t.Helper()
	_, prose := fences(t, name)
	found := map[string]bool{}
	for _, match := range heading.FindAllStringSubmatch(prose, -1) {
		text := strings.ToLower(link.ReplaceAllString(match[1], "$1"))
		text = regexp.MustCompile(`[^\p{L}\p{M}\p{N}\p{Pc} -]`).ReplaceAllString(text, "")
		text = strings.ReplaceAll(text, " ", "-")
		anchor := text
		for n := 1; found[anchor]; n++ { // a heading that comes again
			anchor = fmt.Sprintf("%s-%d", text, n)
		}
		found[anchor] = true
	}
	return found
}

// Every link leads somewhere, and one whose text is a test to the file that declares it.
func TestLinksLeadToWhatTheyName(t *testing.T) {
	for _, name := range all() {
		_, prose := fences(t, name)
		for i, line := range strings.Split(prose, "\n") {
			for _, match := range regexp.MustCompile("`make (\\w+)`").FindAllStringSubmatch(line, -1) {
				if !hasTarget(t, match[1]) {
					t.Errorf("%s:%d: the Makefile has no target %s", name, i+1, match[1])
				}
			}
			for _, match := range link.FindAllStringSubmatch(line, -1) {
				text, target := match[1], match[2]
				if strings.HasPrefix(target, "https://") {
					continue
				}
				file, anchor, hasAnchor := strings.Cut(target, "#")
				if file = path.Join(path.Dir(name), file); strings.HasPrefix(target, "#") {
					file = name
				}
				if _, err := os.Stat(filepath.Join(root, file)); target == "" || err != nil {
					t.Errorf("%s:%d: %s leads nowhere: %v", name, i+1, match[0], err)
				} else if hasAnchor && !(path.Ext(file) == ".md" && anchors(t, file)[anchor]) {
					t.Errorf("%s:%d: %s leads nowhere: %s has no heading #%s", name, i+1, match[0], file, anchor)
				} else if testName.FindString(text) == text && text != "" && !strings.Contains(read(t, file), "\nfunc "+text+"(") {
					t.Errorf("%s:%d: %s: %s does not declare it", name, i+1, match[0], file)
				}
			}
		}
	}
}

func hasTarget(t *testing.T, name string) bool {
	return regexp.MustCompile(`(?m)^[\w ]*\b` + name + `\b[\w ]*:`).MatchString(read(t, "Makefile"))
}

var (
	inlineCode = regexp.MustCompile("`[^`\n]+`")
	figure     = regexp.MustCompile(`\d+(?:\.\d+)*`)
	wording    = regexp.MustCompile(`(?m)(: | as ).*$|"[^"]*"|\[[^\]]*\]|\|[^|]*\|`)
)

// outline returns what a README must have in common with its twin: a line for each section,
// with its links, code and figures, and its blocks; of a diagram only the structure.
func outline(t *testing.T, name string) []string {
	t.Helper()
	blocks, prose := fences(t, name)
	var lines []string
	for i, section := range regexp.MustCompile(`(?m)^#`).Split(prose, -1) {
		level := len(section) - len(strings.TrimLeft(section, "#"))
		var common []string
		for _, match := range link.FindAllStringSubmatch(section, -1) {
			if !strings.Contains(match[2], "README") && match[2][0] != '#' {
				common = append(common, match[2])
			}
		}
		prose := link.ReplaceAllString(section, "$1")
		for _, pattern := range []*regexp.Regexp{inlineCode, testName, figure} {
			common = append(common, pattern.FindAllString(prose, -1)...)
		}
		slices.Sort(common)
		lines = append(lines, fmt.Sprintf("section %d, level %d, %d table rows: %q", i, level, strings.Count(section, "\n|"), common))
	}
	for _, block := range blocks {
		if block.language == "mermaid" {
			block.text = wording.ReplaceAllStringFunc(block.text, func(words string) string {
				return fmt.Sprint(figure.FindAllString(words, -1))
			})
		}
		lines = append(lines, block.language+" block:\n"+block.text)
	}
	return lines
}

func TestBothLanguagesSayTheSame(t *testing.T) {
	for _, name := range english {
		en, zh := outline(t, name), outline(t, chinese(name))
		for i := range max(len(en), len(zh)) {
			if i >= len(en) || i >= len(zh) {
				t.Errorf("%s has %d sections and blocks, %s has %d", name, len(en), chinese(name), len(zh))
				break
			}
			if en[i] != zh[i] {
				t.Errorf("%s has\n%s\n%s has\n%s", name, en[i], chinese(name), zh[i])
			}
		}
	}
}

// A page is to be read in an evening, and a table without scrolling.
func TestREADMEsAreShort(t *testing.T) {
	for _, name := range all() {
		limit := 360
		if strings.Contains(name, "shared/") {
			limit = 200
		}
		lines := strings.Split(read(t, name), "\n")
		if len(lines)-1 > limit {
			t.Errorf("%s has %d lines, want at most %d", name, len(lines)-1, limit)
		}
		for i, line := range lines {
			if strings.HasPrefix(line, "|") && (strings.Count(line, "|") > 5 || len([]rune(line)) > 200) {
				t.Errorf("%s:%d: more than four columns, or 200 characters", name, i+1)
			}
		}
	}
}

// shell runs the commands of a README: servers on free ports, and the rest with those ports.
type shell struct {
	programs *programtest.Programs
	running  []*programtest.Server
	ports    map[string]string // the README's → those in use
}

// defaults are the ports of the READMEs, by folder.
var defaults = map[string]string{"tcp": "1234", "http": "1235", "jsonrpc": "1236", "async": "1237"}

// unused returns for each default port one of those on which nobody listens: they are
// reserved, and for root only.
func unused() map[string]string {
	return map[string]string{"1234": "1", "1235": "2", "1236": "3", "1237": "4"}
}

var (
	goRun   = regexp.MustCompile(`go run \./(\w+/(?:server|client))`)
	client  = regexp.MustCompile(`^(?:go run \./|python3 |node )(\w+)/client`)
	address = regexp.MustCompile(`(localhost|127\.0\.0\.1|\[::1\]):(\d+)`)
)

// start starts a server, in place of the command that starts it on its default port.
func (sh *shell) start(command string) (printed string, err error) {
	match := goRun.FindStringSubmatch(command)
	if match == nil {
		return "", fmt.Errorf("no server of this repository")
	}
	args := append([]string{"-addr", "127.0.0.1:0"}, strings.Fields(command)[3:]...)
	server, err := programtest.Start(sh.programs.Path(match[1]), args...)
	if err != nil {
		return "", err
	}
	sh.running = append(sh.running, server)
	sh.ports[defaults[path.Dir(match[1])]] = server.Addr[strings.LastIndex(server.Addr, ":")+1:]
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
		command += " -addr localhost:" + defaults[match[1]]
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
	// curl shall ask no proxy for what is on this machine.
	result, err := programtest.Run(ctx, "sh", "-c", "exec 2>&1; export no_proxy='*'; cd "+root+" || exit; "+command)
	return sh.documented(result.Stdout), result.ExitCode, err
}

// documented returns printed with the README's ports in place of those in use. Another
// port stays as it is, and is marked if the README has it: then it is right by accident.
func (sh *shell) documented(printed string) string {
	return address.ReplaceAllStringFunc(printed, func(s string) string {
		match := address.FindStringSubmatch(s)
		host := strings.Replace(match[1], "[::1]", "127.0.0.1", 1) // what localhost is differs
		for port, used := range sh.ports {
			if match[2] == used {
				return host + ":" + port
			}
		}
		if sh.ports[match[2]] != "" {
			return s + " (which is not the port in use)"
		}
		return s
	})
}

var measured = regexp.MustCompile(`(?m)^(\d+ calls (?:one after another|in flight at once): |--- PASS: \w+ \(|ok  \t\S+\t)(\d+(?:\.\d+)?m?s|\(cached\))(\)?)$`)

// steady returns printed with measured times as T, and replies that come in any order sorted.
func steady(printed string) string {
	lines := strings.Split(measured.ReplaceAllString(printed, "${1}T$3"), "\n")
	for i, line := range lines {
		if title, replies, found := strings.Cut(line, " replies: "); found && strings.HasPrefix(title, "the first ") {
			words := strings.Split(replies, " ")
			slices.Sort(words)
			lines[i] = title + " replies: " + strings.Join(words, " ")
		}
	}
	return strings.Join(lines, "\n")
}

// step is a command, or ^C, with what stands below it.
type step struct {
	command, want string
	line          int
}

func steps(t *testing.T, name string) (all []step) {
	t.Helper()
	blocks, _ := fences(t, name)
	for _, block := range blocks {
		if block.language != "console" {
			continue
		}
		first := len(all)
		for i, line := range strings.Split(strings.TrimSuffix(block.text, "\n"), "\n") {
			command, isCommand := strings.CutPrefix(line, "$ ")
			switch {
			case isCommand || line == "^C":
				all = append(all, step{command: command, line: block.line + 1 + i}) // ^C has no prompt
			case len(all) == first:
				t.Errorf("%s:%d: no command prints %q", name, block.line+1+i, line)
			default:
				all[len(all)-1].want += line + "\n"
			}
		}
	}
	return all
}

var (
	listening = regexp.MustCompile(`^\w+/server: listening on `)
	badUsage  = regexp.MustCompile(`(?m)^\S+: -\w+ `)
	failure   = regexp.MustCompile(`(?m)^(?:\w+/(?:server|client)|client\.\w+|demo): `)
)

// do runs a step and reports what differs from the README.
func (sh *shell) do(t *testing.T, name string, s step) {
	t.Helper()
	if s.command == "go test ./..." || s.command == "go run ./shared/demo" || strings.HasPrefix(s.command, "make ") {
		// The first would run this test again, and the demo has tests of its own.
		_, isDemo := os.Stat(filepath.Join(root, "shared/demo/main_test.go"))
		target, isMake := strings.CutPrefix(s.command, "make ")
		if s.want != "" || isDemo != nil || isMake && !hasTarget(t, target) || !isMake && !strings.Contains(read(t, "Makefile"), s.command) {
			t.Errorf("%s:%d: %s: the Makefile does not have it, or nothing tests what it prints", name, s.line, s.command)
		}
		return
	}
	if tool, _, _ := strings.Cut(s.command, " "); tool != "^C" && os.Getenv("CI") != "true" {
		if _, err := exec.LookPath(tool); err != nil {
			t.Logf("%s:%d: not run: %s: %v", name, s.line, s.command, err)
			return
		}
	}
	var got string
	var exitCode, wantCode int
	var err error
	switch {
	case s.command == "^C":
		got, err = sh.stop()
	case listening.MatchString(s.want):
		got, err = sh.start(s.command)
	default:
		got, exitCode, err = sh.run(t.Context(), s.command)
		if failure.MatchString(s.want) || strings.HasPrefix(s.command, "diff ") && s.want != "" {
			wantCode = 1
		}
		if badUsage.MatchString(s.want) {
			wantCode = 2
		}
	}
	if steady(got) != steady(s.want) {
		t.Errorf("%s:%d: %s printed\n%s\nwant\n%s", name, s.line, s.command, got, s.want)
	}
	if exitCode != wantCode || err != nil {
		t.Errorf("%s:%d: %s: exit code %d, %v, want exit code %d", name, s.line, s.command, exitCode, err, wantCode)
	}
}

// Every command runs and prints what stands below it, and fails if an error stands there. A
// server goes on running until a line ^C.
func TestCommandsPrintWhatStandsBelowThem(t *testing.T) {
	if _, err := exec.LookPath("sh"); err != nil || runtime.GOOS == "windows" {
		t.Skip("the commands, and the system's errors, are those of a Unix shell")
	}
	var programs []string
	for folder := range defaults {
		programs = append(programs, folder+"/server", folder+"/client")
	}
	built, err := programtest.Build(root, programs...)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range english {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sh := &shell{programs: built, ports: unused()}
			t.Cleanup(func() {
				for len(sh.running) > 0 {
					if _, err := sh.stop(); err != nil {
						t.Errorf("a server, stopped at the end: %v", err)
					}
				}
			})
			var tests sync.WaitGroup // need no server, and so go on beside the rest
			defer tests.Wait()
			for _, s := range steps(t, name) {
				if strings.HasPrefix(s.command, "go test ") {
					tests.Go(func() { new(shell).do(t, name, s) })
				} else {
					sh.do(t, name, s)
				}
			}
		})
	}
}
