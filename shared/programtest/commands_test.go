package programtest_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"example.com/netrpc/shared/programtest"
)

// quote is a step of evidence.
type quote struct {
	page, test, folder string
	programtest.Step
}

// check runs the tests that are quoted, all at once, and compares what each has written with the
// pages.
func check(t *testing.T, quotes []quote) {
	var names, folders []string
	for _, quote := range quotes {
		names, folders = append(names, quote.test), append(folders, quote.folder)
	}
	slices.Sort(folders)
	command := "go test -json -run '^(" + strings.Join(names, "|") + ")$' " + strings.Join(slices.Compact(folders), " ")
	result, err := programs(t).Run(t.Context(), "sh", "-c", "cd '"+root+"' && exec "+command)
	if err != nil || result.ExitCode != 0 {
		t.Errorf("%s: exit code %d, %v, %s%s", command, result.ExitCode, err, result.Stdout, result.Stderr)
		return
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
	for _, quote := range quotes {
		if got := written[quote.test]; got != quote.Want {
			t.Errorf("%s:%d: %s writes\n%s\nwant\n%s", quote.page, quote.Line, quote.test, got, quote.Want)
		}
	}
}

// english returns the English pages. Their twins have the same commands.
func english(t *testing.T) (pages []*programtest.Page) {
	t.Helper()
	all, err := programtest.Pages(root)
	if err != nil {
		t.Fatal(err)
	}
	for twins := range slices.Chunk(all, 2) {
		pages = append(pages, twins[0])
	}
	return pages
}

// Every command of a page runs and prints what stands below it, and fails if an error stands
// there. A server goes on running until a line ^C. Of go test -v the page has what the test
// writes, without the lines that go test puts around it.
func TestCommandsPrintWhatStandsBelowThem(t *testing.T) {
	t.Parallel()
	skipOnWindows(t)
	var quotes []quote
	for _, page := range english(t) {
		var steps []programtest.Step
		exercise := false
		for _, block := range page.Blocks {
			exercise = block.Answer && (exercise || block.Language == "diff")
			if exercise || page.Name == "shared/SERVICE.md" {
				continue // other tests make the change first, and build the service
			}
			for _, s := range block.Steps {
				if match := evidence.FindStringSubmatch(s.Command); match != nil && s.Want != "" {
					quotes = append(quotes, quote{page.Name, match[1], match[2], s})
				} else if s.Command != "go test ./..." || s.Want != "" { // which runs this test
					steps = append(steps, s)
				}
			}
		}
		t.Run(strings.ReplaceAll(page.Name, "/", "_"), func(t *testing.T) {
			t.Parallel()
			sh := newShell(t, root, programs(t))
			for _, s := range steps {
				words := strings.Fields(s.Command)
				switch _, err := exec.LookPath(words[0]); {
				case words[0] == "python3", words[0] == "node":
					interpreter(t, words[1]) // or the rest of the page is skipped
				case err != nil && words[0] != "^C" && os.Getenv("CI") != "true":
					t.Logf("line %d: not run: %v", s.Line, err)
					continue
				}
				sh.do(t, page.Name, s)
			}
		})
	}
	t.Run("evidence", func(t *testing.T) {
		t.Parallel()
		check(t, quotes)
	})
}

// An exercise changes the code as its diff says, in a copy, and its commands print what the
// answer says. It takes long: each compiles what it has changed.
func TestExercisesHaveTheAnswersThatAreFoldedAway(t *testing.T) {
	inCI(t)
	t.Parallel()
	skipOnWindows(t)
	for _, page := range english(t) {
		var sh *shell
		for _, block := range page.Blocks {
			switch {
			case block.Answer && block.Language == "diff":
				copied := t.TempDir()
				if err := os.CopyFS(copied, repository); err != nil {
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
			case sh != nil:
				for _, s := range block.Steps {
					sh.do(t, page.Name, s)
				}
			}
		}
	}
}
