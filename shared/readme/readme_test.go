// Package readme checks the READMEs: what they quote, name and link to exists, and every
// command prints what stands below it.
package readme

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
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

// fences returns the fenced blocks of a README, and its text without them.
func fences(t *testing.T, name string) (blocks []fence, prose string) {
	t.Helper()
	var open *fence
	source := ""
	for i, line := range strings.SplitAfter(read(t, name), "\n") {
		switch {
		case open != nil && line == "```\n":
			blocks = append(blocks, *open)
			open = nil
		case open != nil:
			open.text += line
		case strings.HasPrefix(line, "```"):
			open = &fence{language: strings.TrimSpace(line[3:]), line: i + 1, source: source}
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
			}
			if !strings.Contains(read(t, block.source), text) {
				t.Errorf("%s:%d: not in %s:\n%s", name, block.line, block.source, block.text)
			}
		}
	}
}

var (
	testName = regexp.MustCompile(`\b(?:Test|Example|Benchmark)[A-Z_]\w*`)
	declared = regexp.MustCompile(`(?m)^func ((?:Test|Example|Benchmark)\w+)\(`)
	link     = regexp.MustCompile(`\[([^\]]*)\]\(([^)]*)\)`)
	heading  = regexp.MustCompile(`(?m)^#+ (.*)$`)
)

// Every test that a README, or a comment in the code, names exists.
func TestNamedTestsExist(t *testing.T) {
	exists := map[string]bool{"TestMain": true}
	named := map[string]string{} // test → a file that names it
	err := filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() || filepath.Ext(file) != ".go" && filepath.Ext(file) != ".md" {
			return err
		}
		text, err := os.ReadFile(file)
		for _, name := range testName.FindAllString(string(text), -1) {
			named[name] = file
		}
		if strings.HasSuffix(file, "_test.go") {
			for _, match := range declared.FindAllStringSubmatch(string(text), -1) {
				exists[match[1]] = true
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, file := range named {
		if !exists[name] {
			t.Errorf("%s names %s, which does not exist", file, name)
		}
	}
}

// anchors returns what GitHub makes of the headings of a README.
func anchors(t *testing.T, name string) map[string]bool {
	t.Helper()
	_, prose := fences(t, name)
	found := map[string]bool{}
	for _, match := range heading.FindAllStringSubmatch(prose, -1) {
		anchor := regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(strings.ToLower(match[1]), "")
		found[strings.ReplaceAll(anchor, " ", "-")] = true
	}
	return found
}

// Every link leads somewhere, and one whose text is a test to the file that declares it.
func TestLinksLeadToWhatTheyName(t *testing.T) {
	makefile := read(t, "Makefile")
	for _, name := range all() {
		_, prose := fences(t, name)
		for _, match := range regexp.MustCompile("`make (\\w+)`").FindAllStringSubmatch(prose, -1) {
			if !regexp.MustCompile(`(?m)^[\w ]*\b` + match[1] + `\b[\w ]*:`).MatchString(makefile) {
				t.Errorf("%s: the Makefile has no target %s", name, match[1])
			}
		}
		for _, match := range link.FindAllStringSubmatch(prose, -1) {
			text, target := match[1], match[2]
			if strings.HasPrefix(target, "https://") {
				continue
			}
			file, anchor, hasAnchor := strings.Cut(target, "#")
			if file = path.Join(path.Dir(name), file); target[0] == '#' {
				file = name
			}
			if _, err := os.Stat(filepath.Join(root, file)); err != nil {
				t.Errorf("%s: [%s]: %v", name, text, err)
			} else if hasAnchor && !anchors(t, file)[anchor] {
				t.Errorf("%s: [%s]: %s has no heading #%s", name, text, file, anchor)
			} else if testName.FindString(text) == text && text != "" && !strings.Contains(read(t, file), "\nfunc "+text+"(") {
				t.Errorf("%s: [%s]: %s does not declare it", name, text, file)
			}
		}
	}
}

var (
	inlineCode = regexp.MustCompile("`[^`\n]+`")
	figure     = regexp.MustCompile(`\d+(?:\.\d+)*`)
	words      = regexp.MustCompile(`(?m)([:] ?| as |over [\w,]+: ).*$`)
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
			block.text = words.ReplaceAllString(block.text, "")
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

// defaults are the addresses of the READMEs, and the servers that listen there.
var defaults = map[string]string{"tcp": "1234", "http": "1235", "jsonrpc": "1236", "async": "1237"}

// shell runs the commands of a README: servers on free ports, and the rest with those ports.
type shell struct {
	programs *programtest.Programs
	running  []*programtest.Server
	ports    map[string]string // default port → the one in use
}

var (
	goRun    = regexp.MustCompile(`go run \./(\w+)/(server|client)`)
	measured = regexp.MustCompile(`(one after another: |in flight at once: |--- PASS: \w+ |example.com/netrpc/\S+\s+)(\(cached\)|\S+)`)
)

// run returns what a command prints, with default ports in place of those in use.
func (sh *shell) run(t *testing.T, command string) (printed string, ok bool) {
	t.Helper()
	if command == "^C" {
		last := len(sh.running) - 1
		printed, err := sh.running[last].Stop()
		sh.running = sh.running[:last]
		return printed, err == nil
	}
	folder, addr := "", ""
	if match := goRun.FindStringSubmatch(command); match != nil {
		folder = match[1]
		if match[2] == "server" && sh.ports[defaults[folder]] == "" {
			args := append([]string{"-addr", "127.0.0.1:0"}, strings.Fields(command)[3:]...)
			server, err := programtest.Start(sh.programs.Path(folder+"/server"), args...)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(server.Kill)
			sh.running = append(sh.running, server)
			_, port, _ := strings.Cut(server.Addr, ":")
			sh.ports[defaults[folder]] = port
			return sh.documented(folder + "/server: listening on " + server.Addr + "\n"), true
		}
	} else if strings.Contains(command, "jsonrpc/client/client.") {
		folder = "jsonrpc"
	}
	if folder != "" && !strings.Contains(command, "-addr") {
		addr = " -addr localhost:" + defaults[folder]
	}
	command = goRun.ReplaceAllStringFunc(command, func(s string) string {
		return "'" + sh.programs.Path(strings.TrimPrefix(s, "go run ./")) + "'"
	}) + addr
	for port, used := range sh.ports {
		command = strings.ReplaceAll(command, "localhost:"+port, "localhost:"+used)
	}
	result, err := programtest.Run(t.Context(), "sh", "-c", "cd "+root+" && "+command+" 2>&1")
	if err != nil {
		t.Fatal(err)
	}
	return sh.documented(result.Stdout), result.ExitCode == 0
}

// documented returns printed with the ports that the README has. A port that nothing here
// uses stays as it is.
func (sh *shell) documented(printed string) string {
	for port, used := range sh.ports {
		printed = regexp.MustCompile(`(localhost|127\.0\.0\.1):`+used+`\b`).ReplaceAllString(printed, "$1:"+port)
	}
	return printed
}

// steady returns printed with measured times as T, and replies that come in any order sorted.
func steady(printed string) string {
	lines := strings.Split(measured.ReplaceAllString(printed, "${1}T"), "\n")
	for i, line := range lines {
		if title, replies, found := strings.Cut(line, " replies:"); found {
			words := strings.Fields(replies)
			slices.Sort(words)
			lines[i] = title + " replies: " + strings.Join(words, " ")
		}
	}
	return strings.Join(lines, "\n")
}

// Every command runs and prints what stands below it, and fails if an error stands there. A
// server goes on running until a line ^C.
func TestCommandsPrintWhatStandsBelowThem(t *testing.T) {
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("the commands are those of a shell: ", err)
	}
	var programs []string
	for folder := range defaults {
		programs = append(programs, folder+"/server", folder+"/client")
	}
	built, err := programtest.Build(root, programs...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { built.Close() })
	failure := regexp.MustCompile(`(?m)^[\w/]+(\.py|\.mjs)?: .*( by zero|; start it with|; is that the|; choose another|exactly)`)
	for _, name := range english {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sh := &shell{programs: built, ports: map[string]string{}}
			blocks, _ := fences(t, name)
			for _, block := range blocks {
				if block.language != "console" {
					continue
				}
				// A command, then what it prints; ^C has no prompt.
				for _, step := range strings.Split(strings.Replace("\n"+block.text, "\n^C\n", "\n$ ^C\n", 1), "\n$ ")[1:] {
					command, want, _ := strings.Cut(strings.TrimSuffix(step, "\n")+"\n", "\n")
					switch command {
					case "go run ./shared/demo", "go test ./...": // their own tests; this test itself
						if want != "" || !strings.Contains(read(t, "Makefile")+read(t, ".ci/run"), command) {
							t.Errorf("%s:%d: neither make nor CI runs %s, or something stands below it", name, block.line, command)
						}
						continue
					}
					if tool := strings.Fields(command)[0]; tool != "^C" && os.Getenv("CI") != "true" {
						if _, err := exec.LookPath(tool); err != nil {
							t.Logf("%s:%d: not run: %s: %v", name, block.line, command, err)
							continue
						}
					}
					got, ok := sh.run(t, command)
					if steady(got) != steady(want) {
						t.Errorf("%s:%d: %s printed\n%s\nwant\n%s", name, block.line, command, got, want)
					}
					if ok == failure.MatchString(want) {
						t.Errorf("%s:%d: %s succeeded: %t, which does not go with\n%s", name, block.line, command, ok, want)
					}
				}
			}
		})
	}
}
