package programtest_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"example.com/netrpc/shared/programtest"
	"example.com/netrpc/shared/rpctest"
)

// -h says how to run a program, and with which flags. What is not right ends it with exit code 2.
func TestUsageIsTheSameEverywhere(t *testing.T) {
	t.Parallel()
	for _, pair := range programtest.Pairs {
		for _, program := range []string{pair.Server(), pair.Client()} {
			addr := "localhost:" + pair.Port
			help := run(t, program, "-h")
			begin := "Usage: go run ./" + program + " [flags]\n"
			if help.ExitCode != 0 || help.Stdout != "" || !strings.HasPrefix(help.Stderr, begin) || !strings.Contains(help.Stderr, "(default \""+addr+"\")\n") ||
				program == pair.Client() && !strings.Contains(help.Stderr, "(default 5s)\n") {
				t.Errorf("%s -h: exit %d, printed %q, %q; want exit 0, a beginning of %q and the default address %s",
					program, help.ExitCode, help.Stdout, help.Stderr, begin, addr)
			}
			for argument, says := range map[string]string{
				"more":            program + `: unexpected argument "more"` + "\n" + begin,
				"-nonsense":       "flag provided but not defined: -nonsense\n",
				"-addr=localhost": program + ": -addr localhost: want host:port, such as " + addr + "\n",
			} {
				if got := run(t, program, argument); got.ExitCode != 2 || got.Stdout != "" || !strings.HasPrefix(got.Stderr, says) {
					t.Errorf("%s %s: exit %d, %q; want exit 2, %q first", program, argument, got.ExitCode, got.Stderr, says)
				}
			}
		}
	}
}

func TestAServerSaysThatItsPortIsTaken(t *testing.T) {
	t.Parallel()
	addr := rpctest.Listen(t).Addr().String()
	for _, pair := range programtest.Pairs {
		got := run(t, pair.Server(), "-addr", addr)
		want := regexp.MustCompile("^" + pair.Server() + ": listen tcp " + addr + ": bind: .*; choose another address with -addr\n$")
		if got.ExitCode != 1 || !want.MatchString(got.Stderr) {
			t.Errorf("%s: exit %d, %q; want exit 1, a match of %s", pair.Server(), got.ExitCode, got.Stderr, want)
		}
	}
}

func TestTheDemoNamesThePairsThatThereAre(t *testing.T) {
	t.Parallel()
	for argument, want := range map[string]string{
		"udp": "demo: there is no pair \"udp\", only tcp, http, jsonrpc, async\n",
		"-h":  "Usage: go run ./shared/demo [-addr localhost:0] [tcp] [http] [jsonrpc] [async]\n",
	} {
		code := 2
		if argument == "-h" {
			code = 0
		}
		got := run(t, "shared/demo", argument)
		if got.Stdout != "" || !strings.HasPrefix(got.Stderr, want) || got.ExitCode != code {
			t.Errorf("demo %s: printed %q, %q, exit %d; want %q first, exit %d", argument, got.Stdout, got.Stderr, got.ExitCode, want, code)
		}
	}
}

func TestMakefileTargetsAreListed(t *testing.T) {
	text, err := os.ReadFile(root + "/Makefile")
	if err != nil {
		t.Fatal(err)
	}
	for _, pair := range programtest.Pairs {
		if !regexp.MustCompile(`(?m)^[\w ]*\b` + pair.Folder + `\b[\w ]*: ## `).Match(text) {
			t.Errorf("the Makefile has no target %s", pair.Folder)
		}
	}
}
