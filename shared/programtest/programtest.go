// Package programtest builds, runs, starts and stops the programs of this repository, for its
// tests and for its demo. For the tests it also reads the pages.
package programtest

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"
)

// Patience bounds each wait. It is long, so that a slow machine fails no test.
const Patience = 2 * time.Minute

// Nobody is an address at which nobody listens: its port is reserved.
const Nobody = "127.0.0.1:1"

// Pair is a server and its client.
type Pair struct {
	Folder string // of both
	Port   string // at which they meet on localhost, if nobody says another
}

// Pairs are those of this repository.
var Pairs = []Pair{{"tcp", "1234"}, {"http", "1235"}, {"jsonrpc", "1236"}, {"async", "1237"}}

// Server is the name of the pair's server, as Build takes it.
func (p Pair) Server() string { return p.Folder + "/server" }

// Client is the name of the pair's client.
func (p Pair) Client() string { return p.Folder + "/client" }

// Programs are built programs in a temporary folder of their own, and the processes that have
// been started. Their methods may be called by several goroutines.
type Programs struct {
	dir     string
	ctx     context.Context // of the processes
	kill    context.CancelFunc
	mu      sync.Mutex     // so that running.Add never races with running.Wait
	running sync.WaitGroup // the processes
}

// Build builds programs, such as "tcp/server", from the repository at root, into a new folder
// for temporary files. It stops when ctx ends. Whoever is done with the programs closes them.
func Build(ctx context.Context, root string, programs ...string) (*Programs, error) {
	dir, err := os.MkdirTemp("", "netrpc")
	if err != nil {
		return nil, err
	}
	p := &Programs{dir: dir}
	p.ctx, p.kill = context.WithCancel(context.Background())
	folders := map[string][]string{}
	for _, program := range programs {
		folder := path.Dir(program)
		folders[folder] = append(folders[folder], "./"+program)
	}
	for folder, packages := range folders { // one go build names all its output alike
		if err := p.build(ctx, root, folder, packages); err != nil {
			p.Close()
			return nil, err
		}
	}
	return p, nil
}

// build keeps the state of version control out: git refuses to tell it in a checkout that
// belongs to another user, and with it each edit would link each program again.
func (p *Programs) build(ctx context.Context, root, folder string, packages []string) error {
	args := append([]string{"build", "-buildvcs=false", "-ldflags=-s -w",
		"-o", filepath.Join(p.dir, folder) + string(filepath.Separator)}, packages...)
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "GOTMPDIR="+p.dir) // where go build would leave a folder if it were killed
	interrupt(cmd)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build %s: %w\n%s", strings.Join(packages, " "), err, out)
	}
	return nil
}

// interrupt has cmd end as by Ctrl-C when its context ends, so that it can clean up; and by
// force if that takes longer than Patience.
func interrupt(cmd *exec.Cmd) {
	cmd.WaitDelay = Patience
	if runtime.GOOS != "windows" { // which has no such signal to send
		cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	}
}

// Path returns the file of a program.
func (p *Programs) Path(program string) string {
	file := filepath.Join(p.dir, filepath.FromSlash(program))
	if runtime.GOOS == "windows" {
		file += ".exe"
	}
	return file
}

// Close ends the processes that still run, and removes the programs. Nothing can be started
// any more.
func (p *Programs) Close() error {
	p.mu.Lock()
	p.kill()
	p.mu.Unlock()
	p.running.Wait()
	return os.RemoveAll(p.dir)
}

// start starts a process, which ends at the latest when p is closed. Whoever has waited for
// it calls p.running.Done.
func (p *Programs) start(cmd *exec.Cmd) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.ctx.Err(); err != nil {
		return err
	}
	err := cmd.Start()
	if err == nil {
		p.running.Add(1)
	}
	return err
}

// Result is what a program has printed, and how it ended.
type Result struct {
	Stdout, Stderr string
	ExitCode       int // -1 if a signal ended it
}

// Run runs a file to its end, and interrupts it when ctx ends.
func (p *Programs) Run(ctx context.Context, file string, args ...string) (Result, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(p.ctx, func() { cancel(p.ctx.Err()) })()
	cmd := exec.CommandContext(ctx, file, args...)
	interrupt(cmd)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := p.start(cmd); err != nil {
		return Result{}, err
	}
	err := cmd.Wait()
	p.running.Done()
	result := Result{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
	if ctx.Err() != nil {
		return result, fmt.Errorf("%s: %w", file, context.Cause(ctx))
	}
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		err = nil // the exit code says it
	}
	return result, err
}

// Interpreter returns the program that runs a script, "client.py" or "client.mjs". On some
// systems python3 is there and fails: it says only how to install Python.
func Interpreter(script string) (string, error) {
	name, args := "node", []string{"-e", "console.log(process.execPath)"}
	if path.Ext(script) == ".py" {
		name, args = "python3", []string{"-c", "import sys; print(sys.executable)"}
	}
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	interrupt(cmd)
	file, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s needs %s: %w", script, name, err)
	}
	return strings.TrimSpace(string(file)), nil // there may be a shim before it that takes longer than a script
}

// Server is a server program that runs.
type Server struct {
	Addr    string
	First   string        // the line that says where it listens
	Lines   <-chan string // what it prints to stderr after that; closed at its end
	Process *os.Process
	ended   chan struct{} // closed when it has ended, and err is set
	err     error
}

// Start starts a server and waits until it says where it listens.
func (p *Programs) Start(file string, args ...string) (*Server, error) {
	cmd := exec.CommandContext(p.ctx, file, args...)
	pipe, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := p.start(cmd); err != nil {
		return nil, err
	}
	lines := make(chan string, 1000)
	s := &Server{Lines: lines, Process: cmd.Process, ended: make(chan struct{})}
	go func() {
		for scanner := bufio.NewScanner(pipe); scanner.Scan(); {
			select {
			case lines <- scanner.Text():
			case <-p.ctx.Done(): // nobody reads any more
			}
		}
		io.Copy(io.Discard, pipe) // after a line that is too long for a Scanner
		s.err = cmd.Wait()
		close(lines)
		close(s.ended)
		p.running.Done()
	}()
	select {
	case first, more := <-lines:
		if _, addr, found := strings.Cut(first, ": listening on "); found {
			s.Addr, s.First = addr, first
			return s, nil
		}
		if !more {
			err := cmp.Or(s.err, errors.New("exit status 0"))
			return nil, fmt.Errorf("%s ends before it says where it listens: %w", file, err)
		}
		rest, _ := s.Wait() // what the server says to why it does not listen
		return nil, errors.New(strings.TrimSpace(first + "\n" + rest))
	case <-time.After(Patience):
		s.Kill()
		return nil, fmt.Errorf("%s does not say where it listens within %v", file, Patience)
	}
}

// Stop asks the server to stop, as Ctrl-C does, and waits for its end. It returns what the
// server has printed meanwhile, and an error if it ends with another code than 0. On Windows,
// where there is no such signal to send, it ends the server.
func (s *Server) Stop() (printed string, err error) {
	if runtime.GOOS == "windows" {
		s.Kill()
		return "", nil
	}
	if err := s.Process.Signal(os.Interrupt); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return "", err
	}
	return s.Wait()
}

// Wait waits for the end of the server and returns what it has printed meanwhile. A server
// that does not end within Patience is killed.
func (s *Server) Wait() (printed string, err error) {
	late := time.After(Patience)
	for {
		select {
		case line, more := <-s.Lines:
			if !more {
				<-s.ended
				return printed, s.err
			}
			printed += line + "\n"
		case <-late:
			s.Kill()
			return printed, fmt.Errorf("the server does not end within %v", Patience)
		}
	}
}

// Kill ends the server at once, if it still runs, and waits for that.
func (s *Server) Kill() {
	s.Process.Kill()
	for range s.Lines {
	}
	<-s.ended
}

// Show runs a pair, and writes each command and what it prints to w. The server listens on
// addr, or where it does by default if addr is empty. A client has a minute, for slow machines.
func (p *Programs) Show(ctx context.Context, w io.Writer, pair Pair, addr string) error {
	var args []string
	if addr != "" {
		args = []string{"-addr", addr}
	}
	fmt.Fprintf(w, "> go run ./%s\n", pair.Server())
	server, err := p.Start(p.Path(pair.Server()), args...)
	if err != nil {
		return err
	}
	defer server.Kill()
	fmt.Fprintln(w, server.First)

	fmt.Fprintf(w, "> go run ./%s\n", pair.Client())
	client, err := p.Run(ctx, p.Path(pair.Client()), "-addr", server.Addr, "-timeout", "1m")
	fmt.Fprint(w, client.Stdout, client.Stderr)
	if err != nil {
		return err
	}
	if client.ExitCode != 0 {
		return fmt.Errorf("%s: exit status %d", pair.Client(), client.ExitCode)
	}
	printed, err := server.Stop()
	fmt.Fprint(w, printed)
	return err
}
