// Package readme reads the pages of this repository for the tests that check them: what they
// quote, name and link to is checked here, their commands in shared/programtest.
package readme

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// English returns the English pages below root, as slash-separated paths. Each has a Chinese
// twin beside it.
func English(root string) ([]string, error) {
	var names []string
	err := filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && strings.HasPrefix(entry.Name(), ".") && file != root {
			return fs.SkipDir // .git and .github
		}
		if path.Ext(file) == ".md" && !strings.Contains(file, ".zh-CN.") {
			name, err := filepath.Rel(root, file)
			names = append(names, filepath.ToSlash(name))
			return err
		}
		return nil
	})
	slices.SortFunc(names, func(a, b string) int { // those of the root first
		return strings.Compare(path.Dir(a)+"/"+a, path.Dir(b)+"/"+b)
	})
	return names, err
}

// Chinese returns the name of an English page's twin.
func Chinese(name string) string { return strings.TrimSuffix(name, ".md") + ".zh-CN.md" }

// Page is a page, as a reader sees it.
type Page struct {
	Name   string
	Prose  string // the text, with empty lines in the place of the blocks
	Blocks []Block
}

// Block is a fenced block.
type Block struct {
	Language, Text string
	Line           int    // of the page, at which it begins
	Source         string // the last file of Go that the text above links to
	Named          string // the last file that the text above names in `backquotes`
	Answer         bool   // whether it is folded away, in <details>
}

var (
	goLink    = regexp.MustCompile(`\]\(([\w./-]+\.go)\)`)
	namedFile = regexp.MustCompile("`([\\w./-]+\\.(?:go|py|mod))`")
)

// Read reads a page. It fails if a block has no end.
func Read(root, name string) (*Page, error) {
	text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
	if err != nil {
		return nil, err
	}
	page := &Page{Name: name}
	var open *Block
	var next Block // what the text says of the block to come
	number := 0
	for line := range strings.Lines(strings.ReplaceAll(string(text), "\r\n", "\n")) {
		number++
		switch {
		case open != nil && line == "```\n":
			page.Blocks = append(page.Blocks, *open)
			open = nil
			page.Prose += "\n"
		case open != nil:
			open.Text += line
			page.Prose += "\n"
		case strings.HasPrefix(line, "```"):
			block := next
			block.Language, block.Line = strings.TrimSpace(line[3:]), number
			open = &block
			page.Prose += "\n"
		default:
			page.Prose += line
			for _, link := range goLink.FindAllStringSubmatch(line, -1) {
				next.Source = path.Join(path.Dir(name), link[1])
			}
			for _, file := range namedFile.FindAllStringSubmatch(line, -1) {
				next.Named = file[1]
			}
			if strings.Contains(line, "<details>") {
				next.Answer = true
			}
			if strings.Contains(line, "</details>") {
				next.Answer = false
			}
		}
	}
	if open != nil {
		return nil, fmt.Errorf("%s:%d: the block does not end", name, open.Line)
	}
	return page, nil
}

// Step is a command, or ^C, with what stands below it.
type Step struct {
	Command, Want string // Command is empty for ^C
	Line          int
}

// Steps returns the steps of a console block. It fails if there is output without a command.
func (b Block) Steps() (steps []Step, err error) {
	for i, line := range strings.Split(strings.TrimSuffix(b.Text, "\n"), "\n") {
		command, isCommand := strings.CutPrefix(line, "$ ")
		switch {
		case line == "^C":
			steps = append(steps, Step{Line: b.Line + 1 + i})
		case isCommand:
			steps = append(steps, Step{Command: command, Line: b.Line + 1 + i})
		case len(steps) > 0 && strings.HasSuffix(steps[len(steps)-1].Command, `\`) && steps[len(steps)-1].Want == "":
			steps[len(steps)-1].Command += "\n" + line // the command goes on
		case len(steps) == 0:
			return nil, fmt.Errorf("line %d: no command prints %q", b.Line+1+i, line)
		default:
			steps[len(steps)-1].Want += line + "\n"
		}
	}
	return steps, nil
}
