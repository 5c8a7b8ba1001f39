// Package programtest builds, runs, starts and stops the programs of this repository, for
// its tests and for its demo. Patience bounds each wait but that for go build.
package programtest

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// Patience is for what should take no time.
const Patience = 30 * time.Second

// Nobody is an address at which nobody listens: its port is reserved.
const Nobody = "127.0.0.1:1"

// Programs are built programs in a folder of their own.
type Programs struct{ dir string }

// Build builds programs, such as "tcp/server", from the repository at root. Like go run, it
// keeps them in the user's cache, and does not link again what has not changed.
func Build(root string, programs ...string) (*Programs, error) {
	look(root)
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	here, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	// A folder for each package that builds: go test runs them side by side, and a program
	// that one of them starts must not be in the middle of being written by another.
	p := &Programs{filepath.Join(cache, "netrpc", fmt.Sprintf("%x", sha256.Sum256([]byte(here+filepath.Base(os.Args[0]))))[:16])}
	folders := map[string][]string{}
	for _, program := range programs {
		folder := path.Dir(program)
		folders[folder] = append(folders[folder], "./"+program)
	}
	for folder, packages := range folders { // one go build names all its output alike
		args := append([]string{"build", "-ldflags=-s -w", "-o", filepath.Join(p.dir, folder) + string(filepath.Separator)}, packages...)
		build := exec.Command("go", args...)
		build.Dir = root
		if out, err := build.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("go build %s: %w\n%s", strings.Join(packages, " "), err, out)
		}
	}
	return p, nil
}

// look opens all code of the repository: go test repeats an old result unless it has seen
// the test open what the result depends on.
func look(root string) {
	for _, folder := range []string{"tcp", "http", "jsonrpc", "async", "shared"} {
		filepath.WalkDir(filepath.Join(root, folder), func(file string, entry fs.DirEntry, err error) error {
			if err == nil && entry.Type().IsRegular() && filepath.Ext(file) == ".go" {
				os.ReadFile(file)
			}
			return nil
		})
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

// Result is what a program has printed, and how it ended.
type Result struct {
	Stdout, Stderr string
	ExitCode       int // -1 if a signal ended it
}

// Run runs a program to its end, which must come before ctx ends and within twice Patience.
func Run(ctx context.Context, file string, args ...string) (Result, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*Patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, file, args...)
	cmd.WaitDelay = time.Second // for children that outlive it
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	result := Result{stdout.String(), stderr.String(), -1}
	if cmd.ProcessState != nil {
		result.ExitCode = cmd.ProcessState.ExitCode()
	}
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && ctx.Err() == nil {
		err = nil // the exit code says it
	}
	return result, err
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
func Start(file string, args ...string) (*Server, error) {
	cmd := exec.Command(file, args...)
	pipe, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	lines := make(chan string, 1000)
	s := &Server{Lines: lines, Process: cmd.Process, ended: make(chan struct{})}
	go func() {
		for scanner := bufio.NewScanner(pipe); scanner.Scan(); {
			lines <- scanner.Text()
		}
		s.err = cmd.Wait()
		close(lines)
		close(s.ended)
	}()
	select {
	case first, ok := <-lines:
		_, addr, found := strings.Cut(first, ": listening on ")
		if found {
			s.Addr, s.First = addr, first
			return s, nil
		}
		s.Kill()
		return nil, fmt.Errorf("%s begins with %q (anything at all: %t), not with where it listens", file, first, ok)
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
			return printed, fmt.Errorf("the server goes on for %v after it was asked to stop", Patience)
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
