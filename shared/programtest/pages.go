package programtest

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
)

// Page is a page of this repository, as a reader sees it.
type Page struct {
	Name   string // its path from the root, with slashes
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
	Steps          []Step // of a console
}

// Step is a command with what stands below it.
type Step struct {
	Command, Want string // Command may be ^C
	Line          int
}

// Pages reads the pages below root, each English one before its Chinese twin.
func Pages(root string) (pages []*Page, err error) {
	err = fs.WalkDir(os.DirFS(root), ".", func(file string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && file != "." && strings.HasPrefix(file, ".") {
			return fs.SkipDir // .git and .github
		}
		name, isPage := strings.CutSuffix(file, ".md")
		if err != nil || !isPage || strings.HasSuffix(name, ".zh-CN") {
			return err
		}
		for _, twin := range []string{file, name + ".zh-CN.md"} {
			page, err := ReadPage(root, twin)
			if err != nil {
				return err
			}
			pages = append(pages, page)
		}
		return nil
	})
	return pages, err
}

var ( // .* finds the last of a line
	goLink    = regexp.MustCompile(`.*\]\(([\w./-]+\.go)\)`)
	namedFile = regexp.MustCompile(".*`([\\w./-]+\\.(?:go|py|mod))`")
)

// ReadPage reads a page. It fails if a block has no end, or a console output without a command.
func ReadPage(root, name string) (*Page, error) {
	text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
	if err != nil {
		return nil, err
	}
	page := &Page{Name: name}
	var block Block // that is open, or is to come
	open, number := false, 0
	for line := range strings.Lines(strings.ReplaceAll(string(text), "\r\n", "\n")) {
		number++
		switch {
		case open && line == "```\n":
			if block.Steps, err = block.steps(); err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			page.Blocks = append(page.Blocks, block)
			open, block.Text = false, ""
		case open:
			block.Text += line
		case strings.HasPrefix(line, "```"):
			open, block.Language, block.Line = true, strings.TrimSpace(line[3:]), number
		default:
			page.Prose += line
			if link := goLink.FindStringSubmatch(line); link != nil {
				block.Source = path.Join(path.Dir(name), link[1])
			}
			if file := namedFile.FindStringSubmatch(line); file != nil {
				block.Named = file[1]
			}
			block.Answer = strings.Contains(line, "<details>") || block.Answer && !strings.Contains(line, "</details>")
			continue
		}
		page.Prose += "\n"
	}
	if open {
		return nil, fmt.Errorf("%s:%d: the block does not end", name, block.Line)
	}
	return page, nil
}

// steps returns the steps of a block, if it is a console.
func (b Block) steps() (steps []Step, err error) {
	if b.Language != "console" {
		return nil, nil
	}
	for i, line := range strings.Split(strings.TrimSuffix(b.Text, "\n"), "\n") {
		number := b.Line + 1 + i
		if command, found := strings.CutPrefix(line, "$ "); found || line == "^C" {
			steps = append(steps, Step{Command: command, Line: number})
			continue
		}
		if len(steps) == 0 {
			return nil, fmt.Errorf("line %d: no command prints %q", number, line)
		}
		last := &steps[len(steps)-1]
		if strings.HasSuffix(last.Command, `\`) && last.Want == "" {
			last.Command += "\n" + line // the command goes on
		} else {
			last.Want += line + "\n"
		}
	}
	return steps, nil
}
