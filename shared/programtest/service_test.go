package programtest_test

import (
	"context"
	"fmt"
	"go/format"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"example.com/netrpc/shared/programtest"
	"example.com/netrpc/shared/rpctest"
)

// patient is what the test changes in the page's files, so that nothing depends on how fast a
// machine is: Grace's mail takes 300 ms, Alan's an hour, and a client waits as long.
var patient = map[string]string{
	"3 * time.Second": `map[string]time.Duration{"Grace": 300 * time.Millisecond, "Alan": time.Hour}[name]`,
	"5*time.Second":   "time.Hour",
}

const (
	pagePort = "2345"
	freePort = "00000"
)

// newcomer follows the page about a service of one's own.
type newcomer struct {
	t       *testing.T
	dir     string              // where both terminals are
	bin     string              // where the built programs are
	files   []string            // that the page has had written
	port    string              // what stands there in place of the page's
	patient map[string]int      // how often each text was changed
	server  *programtest.Server // that was started last, or nil
	wanted  string              // what the page has it say before Ctrl-C
	said    string              // what it has said
}

// edit replaces a file by what change makes of it. The result has to be as gofmt writes it.
func (n *newcomer) edit(file string, change func(text string) string) {
	text, err := os.ReadFile(file)
	if err != nil && !os.IsNotExist(err) {
		n.t.Fatal(err)
	}
	changed := change(string(text))
	if err := os.WriteFile(file, []byte(changed), 0o600); err != nil {
		n.t.Fatal(err)
	}
	if filepath.Ext(file) == ".go" {
		if formatted, err := format.Source([]byte(changed)); err != nil || string(formatted) != changed {
			n.t.Errorf("%s: not as gofmt writes it: %v", file, err)
		}
	}
}

// obey does what a block says of a file: it writes a new one, adds to one, or changes one.
func (n *newcomer) obey(block programtest.Block) {
	file := filepath.Join(n.dir, filepath.FromSlash(block.Named))
	if block.Language == "diff" {
		for hunk := range strings.SplitSeq(block.Text, "@@\n") {
			change(n.t, file, hunk)
		}
	} else {
		n.edit(file, func(text string) string {
			if text == "" {
				n.files = append(n.files, file)
			} else {
				text += "\n"
			}
			return text + strings.ReplaceAll(block.Text, pagePort, n.port)
		})
	}
	n.edit(file, func(text string) string {
		for from, to := range patient {
			n.patient[from] += strings.Count(text, from)
			text = strings.ReplaceAll(text, from, to)
		}
		return text
	})
}

// meetAt puts another port into the files.
func (n *newcomer) meetAt(port string) {
	for _, file := range n.files {
		n.edit(file, func(text string) string { return strings.ReplaceAll(text, n.port, port) })
	}
	n.port = port
}

// shell runs a command to its end.
func (n *newcomer) shell(ctx context.Context, command string) (programtest.Result, error) {
	repository, err := filepath.Abs(root)
	if err != nil {
		return programtest.Result{}, err
	}
	command = strings.ReplaceAll(command, "~/netrpc", "'"+repository+"'")
	command = strings.Replace(command, "go run ./client", "'"+n.bin+"/client'", 1)
	return programs(n.t).Run(ctx, "sh", "-c", "exec 2>&1; export GOFLAGS= GOPROXY=off GOWORK=off; cd '"+n.dir+"' && exec "+command)
}

// build builds what the page has go run. That would leave its program running when it is killed.
func (n *newcomer) build(program string) {
	result, err := n.shell(n.t.Context(), "go build -buildvcs=false '-ldflags=-s -w' -o '"+n.bin+"/' ./"+program)
	if err != nil || result.ExitCode != 0 {
		n.t.Fatalf("go build ./%s: exit code %d, %v\n%s", program, result.ExitCode, err, result.Stdout)
	}
}

// start starts the server on a free port, at which its clients then look for it.
func (n *newcomer) start(s programtest.Step) {
	n.meetAt(freePort)
	n.build("server")
	server, err := programs(n.t).Start(filepath.Join(n.bin, "server"))
	if err != nil {
		n.t.Fatalf("shared/SERVICE.md:%d: %v", s.Line, err)
	}
	n.t.Cleanup(server.Kill)
	n.server = server
	n.meetAt(server.Addr[strings.LastIndex(server.Addr, ":")+1:])
	n.wanted, n.said = s.Want, n.documented(server.First+"\n")
}

// stop stops the server as Ctrl-C does.
func (n *newcomer) stop(s programtest.Step) {
	if n.server == nil {
		n.t.Fatalf("shared/SERVICE.md:%d: no server runs", s.Line)
	}
	if !strings.HasPrefix(n.said, n.wanted) {
		n.t.Errorf("shared/SERVICE.md:%d: before Ctrl-C the server has said\n%s\nwant\n%s", s.Line, n.said, n.wanted)
	}
	printed, err := n.server.Stop()
	n.server = nil
	want := "signal: interrupt"
	if s.Want != "" { // it has had time for a last word
		want = "<nil>"
	}
	if end := fmt.Sprint(err); printed != s.Want || end != want {
		n.t.Errorf("shared/SERVICE.md:%d: after Ctrl-C the server says\n%s\nand ends with %s; want\n%s\nand %s",
			s.Line, printed, end, s.Want, want)
	}
}

// documented returns what was printed as the page has it.
func (n *newcomer) documented(printed string) string {
	address := regexp.MustCompile(`(?:127\.0\.0\.1|\[::1\]):` + n.port + `\b`)
	return steady(address.ReplaceAllString(printed, "127.0.0.1:"+pagePort))
}

// do runs a command that ends by itself, and reports what differs from the page. While a call of
// AddUser is in flight, it calls meanwhile.
func (n *newcomer) do(s programtest.Step, meanwhile func()) {
	words := strings.Fields(s.Command)
	switch words[0] {
	case "cd":
		n.dir = filepath.Join(n.dir, words[1])
		return
	case "python3":
		interpreter(n.t, words[1]) // or the rest of the page is skipped
	case "go":
		if words[1] == "run" {
			n.build("client")
		}
	}
	ctx, cancel := context.WithTimeout(n.t.Context(), rpctest.Patience)
	defer cancel()
	var got programtest.Result
	var err error
	if strings.Contains(s.Command, " -add ") {
		got, err = n.addUser(ctx, s, meanwhile)
	} else {
		got, err = n.shell(ctx, s.Command)
	}
	if printed := n.documented(got.Stdout); printed != steady(s.Want) || got.ExitCode != exitCode(s) || err != nil {
		n.t.Errorf("shared/SERVICE.md:%d: %s printed\n%s\nexit code %d, %v; want\n%s\nexit code %d",
			s.Line, s.Command, printed, got.ExitCode, err, s.Want, exitCode(s))
	}
}

// addUser runs a client that adds a user. On a slow machine one that gives up after 1 s may do so
// before it has sent a request. Then it gets more time.
func (n *newcomer) addUser(ctx context.Context, s programtest.Step, meanwhile func()) (got programtest.Result, err error) {
	if n.server == nil {
		n.t.Fatalf("shared/SERVICE.md:%d: no server runs", s.Line)
	}
	_, name, _ := strings.Cut(s.Command, " -add ")
	name, _, givesUp := strings.Cut(name, " -timeout 1s")
	for limit := time.Second; ; limit *= 4 {
		ended := make(chan bool)
		go func() {
			got, err = n.shell(ctx, strings.Replace(s.Command, "-timeout 1s", "-timeout "+limit.String(), 1))
			close(ended)
		}()
		select {
		case line := <-n.server.Lines:
			n.said += line + "\n"
			if want := "server: added " + name; line != want {
				n.t.Errorf("shared/SERVICE.md:%d: the server says %q, want %q", s.Line, line, want)
			}
			meanwhile()
			<-ended
			return got, err
		case <-ended:
			if !givesUp || limit >= rpctest.Patience {
				return got, err
			}
		}
	}
}

// terminals does what one terminal shows. If that is a server from its start to Ctrl-C, the
// other terminal shows what happens meanwhile: Ctrl-C is the last, unless its last call is one of
// AddUser; then Ctrl-C comes in the middle of it. It reports whether the other one is done, too.
func (n *newcomer) terminals(one, other programtest.Block) (both bool) {
	for i, s := range one.Steps {
		switch {
		case s.Command == "^C":
			n.stop(s)
		case s.Command != "go run ./server":
			n.do(s, func() {})
		case i+1 == len(one.Steps):
			n.start(s)
		default:
			n.start(s)
			for _, s := range other.Steps {
				n.do(s, func() { n.stop(one.Steps[i+1]) })
			}
			if n.server != nil {
				n.stop(one.Steps[i+1])
			}
			return true
		}
	}
	return false
}

// Whoever follows the page from an empty folder gets a service that works, and sees at each
// command what stands below it. The Chinese page has the same blocks
// (TestBothLanguagesSayTheSame, in readme).
func TestYourOwnServiceWorksAsItsPageSays(t *testing.T) {
	inCI(t)
	t.Parallel()
	skipOnWindows(t)
	page, err := programtest.ReadPage(root, "shared/SERVICE.md")
	if err != nil {
		t.Fatal(err)
	}
	n := &newcomer{t: t, dir: t.TempDir(), bin: t.TempDir(), port: pagePort, patient: map[string]int{}}
	for i := 0; i < len(page.Blocks) && !t.Failed(); i++ {
		switch block := page.Blocks[i]; block.Language {
		case "go", "python", "diff":
			n.obey(block)
		case "console":
			if n.terminals(block, page.Blocks[min(i+1, len(page.Blocks)-1)]) {
				i++
			}
		default:
			t.Errorf("shared/SERVICE.md:%d: nobody checks a block of %q", block.Line, block.Language)
		}
	}
	if t.Failed() {
		return
	}
	n.do(programtest.Step{Command: "go vet ./..."}, nil)
	for text, times := range n.patient {
		if times != 1 {
			t.Errorf("shared/SERVICE.md: %s stands there %d times, want once", text, times)
		}
	}
}

// The page has call as it stands in stub.go, and needs nothing else of this module but what it
// says to copy.
func TestYourOwnServiceNeedsNothingOfThisModule(t *testing.T) {
	page, err := programtest.ReadPage(root, "shared/SERVICE.md")
	if err != nil {
		t.Fatal(err)
	}
	stub, err := os.ReadFile(root + "/shared/stub.go")
	if err != nil {
		t.Fatal(err)
	}
	hasCall := false
	for _, block := range page.Blocks {
		hasCall = hasCall || strings.HasPrefix(block.Text, "// call ") && strings.Contains(string(stub), block.Text)
		if strings.Contains(block.Text, "example.com/netrpc") {
			t.Errorf("shared/SERVICE.md:%d: the block needs this module:\n%s", block.Line, block.Text)
		}
	}
	if !hasCall {
		t.Error("no block of the page is call as it stands in shared/stub.go")
	}
}
