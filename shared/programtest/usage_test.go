package programtest_test

import (
	"os"
	"regexp"
	"testing"

	"example.com/netrpc/shared/programtest"
	"example.com/netrpc/shared/rpctest"
)

// -h says how to run a program, and with which flags. What ends it at once is an exit code, and
// a line that says what to do.
func TestProgramsSayHowToRunThem(t *testing.T) {
	t.Parallel()
	type row struct {
		program, argument string
		code              int
		says              string // a pattern
	}
	rows := []row{
		{"shared/demo", "-h", 0, `Usage: go run \./shared/demo \[-addr localhost:0\] \[tcp\] \[http\] \[jsonrpc\] \[async\]\n`},
		{"shared/demo", "udp", 2, `demo: there is no pair "udp", only tcp, http, jsonrpc, async\n$`},
	}
	taken := rpctest.Listen(t).Addr().String()
	for _, pair := range programtest.Pairs {
		flags := ` \[flags\]\n(?s:.*)\(default "localhost:` + pair.Port + `"\)\n`
		rows = append(rows,
			row{pair.Server(), "-h", 0, `Usage: go run \./` + pair.Server() + flags},
			row{pair.Client(), "-h", 0, `Usage: go run \./` + pair.Client() + flags + `(?s:.*)\(default 5s\)\n`},
			row{pair.Server(), "-addr=" + taken, 1, pair.Server() + ": listen tcp " + taken + ": bind: .*; choose another address with -addr\n$"})
	}
	for _, row := range rows {
		got := run(t, row.program, row.argument)
		if got.Stdout != "" || !regexp.MustCompile("^"+row.says).MatchString(got.Stderr) || got.ExitCode != row.code {
			t.Errorf("%s %s: printed %q, %q, exit %d; want a match of %s on stderr, exit %d",
				row.program, row.argument, got.Stdout, got.Stderr, got.ExitCode, row.says, row.code)
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
