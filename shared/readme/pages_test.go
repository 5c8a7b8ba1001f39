// Package readme has no code: its tests check what the pages of this repository quote, name and
// link to. Their commands are run in shared/programtest.
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
	"testing"
	"unicode/utf8"

	"example.com/netrpc/shared/programtest"
)

// root is the repository, seen from here. Files are named as from there.
const root = "../.."

func pages(t *testing.T) []*programtest.Page {
	t.Helper()
	pages, err := programtest.Pages(root)
	if err != nil {
		t.Fatal(err)
	}
	return pages
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(text), "\r\n", "\n")
}

// A go block stands in the file that the text above it links to; a text block stands there as
// the output of an Example. On the page about a service of one's own they are files themselves.
func TestPagesQuoteTheCode(t *testing.T) {
	for _, page := range pages(t) {
		if strings.HasPrefix(page.Name, "shared/SERVICE.") {
			continue // programtest builds the service from its blocks
		}
		for _, block := range page.Blocks {
			text := block.Text
			switch block.Language {
			case "text":
				text = regexp.MustCompile(`(?m)^`).ReplaceAllString(strings.TrimSuffix(text, "\n"), "\t// ")
				text = strings.ReplaceAll(text, "\t// \n", "\t//\n")
			case "go":
			case "diff":
				text = regexp.MustCompile(`(?m)^\+.*\n|^.`).ReplaceAllString(text, "") // what it finds
			case "console", "mermaid":
				continue
			default:
				t.Errorf("%s:%d: nobody checks a block of %q", page.Name, block.Line, block.Language)
				continue
			}
			if block.Source == "" {
				t.Errorf("%s:%d: no Go file is linked to above the block", page.Name, block.Line)
			} else if !strings.Contains(read(t, block.Source), text) {
				t.Errorf("%s:%d: not in %s:\n%s", page.Name, block.Line, block.Source, block.Text)
			}
		}
	}
}

var (
	testName   = regexp.MustCompile(`\b(?:Test|Example|Benchmark)[A-Z_]\w*`)
	declared   = regexp.MustCompile(`(?m)^func ((?:Test|Example|Benchmark)\w+)\(`)
	link       = regexp.MustCompile(`\[([^\]]*)\]\(([^)]*)\)`)
	testRun    = regexp.MustCompile(`go test .*-run '?\^?((?:Test|Example)\w+)\$?'? \./([\w/]+)`)
	heading    = regexp.MustCompile(`(?m)^#+ (.*)$`)
	makeTarget = regexp.MustCompile("`make (\\w+)`")
)

// Every test that a page, or the code, names exists, and one that a page has run is in the
// folder that the command names.
func TestNamedTestsExist(t *testing.T) {
	texts, exists := map[string]string{}, map[string]bool{"TestMain": true} // test, or folder/test
	err := fs.WalkDir(os.DirFS(root), ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && name == ".git": // it changes while git works
			return fs.SkipDir
		case strings.HasPrefix(name, "shared/SERVICE."): // its tests are the reader's
		case path.Ext(name) == ".go", path.Ext(name) == ".md":
			texts[name] = read(t, name)
			for _, match := range declared.FindAllStringSubmatch(texts[name], -1) {
				exists[match[1]], exists[path.Dir(name)+"/"+match[1]] = true, true
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range texts {
		for _, test := range testName.FindAllString(text, -1) {
			if !exists[test] {
				t.Errorf("%s: names %s, which does not exist", name, test)
			}
		}
		for _, match := range testRun.FindAllStringSubmatch(text, -1) {
			if path.Ext(name) == ".md" && !exists[match[2]+"/"+match[1]] {
				t.Errorf("%s: %s is not in ./%s", name, match[1], match[2])
			}
		}
	}
}

// anchors returns what GitHub makes of the headings of a page.
func anchors(prose string) map[string]bool {
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

// Every link leads somewhere, and one whose text is a test to the file that declares it. A
// Chinese page leads to Chinese pages.
func TestLinksLeadToWhatTheyName(t *testing.T) {
	headings := map[string]map[string]bool{}
	for _, page := range pages(t) {
		headings[page.Name] = anchors(page.Prose)
	}
	for _, page := range pages(t) {
		english := strings.Replace(page.Name, ".zh-CN", "", 1)
		for _, match := range makeTarget.FindAllStringSubmatch(page.Prose, -1) {
			if !regexp.MustCompile(`(?m)^[\w ]*\b` + match[1] + `\b[\w ]*:`).MatchString(read(t, "Makefile")) {
				t.Errorf("%s: the Makefile has no target %s", page.Name, match[1])
			}
		}
		for _, match := range link.FindAllStringSubmatch(page.Prose, -1) {
			text, target := match[1], match[2]
			if strings.HasPrefix(target, "https://") {
				continue
			}
			file, anchor, hasAnchor := strings.Cut(target, "#")
			if file = path.Join(path.Dir(page.Name), file); strings.HasPrefix(target, "#") {
				file = page.Name
			}
			switch _, err := os.Stat(filepath.Join(root, file)); {
			case target == "" || err != nil:
				t.Errorf("%s: %s leads nowhere: %v", page.Name, match[0], err)
			case hasAnchor && !headings[file][anchor]:
				t.Errorf("%s: %s leads nowhere: %s has no heading #%s", page.Name, match[0], file, anchor)
			case testName.FindString(text) == text && text != "" && !strings.Contains(read(t, file), "\nfunc "+text+"("):
				t.Errorf("%s: %s: %s does not declare it", page.Name, match[0], file)
			case page.Name != english && headings[file] != nil && !strings.Contains(file, ".zh-CN.") && file != english:
				t.Errorf("%s: %s leads to an English page", page.Name, match[0])
			}
		}
	}
}

var (
	inlineCode = regexp.MustCompile("`[^`\n]+`")
	figure     = regexp.MustCompile(`\d+(?:\.\d+)*`)
	wording    = regexp.MustCompile(`(?m)(: | as ).*$|"[^"]*"|\[[^\]]*\]|\|[^|]*\|`)
)

// outline returns what a page must have in common with its twin: a line for each section, with
// its links, code and figures, and its blocks; of a diagram only the structure.
func outline(page *programtest.Page) []string {
	var lines []string
	for i, section := range regexp.MustCompile(`(?m)^#`).Split(page.Prose, -1) {
		level := len(section) - len(strings.TrimLeft(section, "#"))
		var common []string
		for _, match := range link.FindAllStringSubmatch(section, -1) {
			if !strings.Contains(match[2], ".md") && match[2][0] != '#' {
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
	for _, block := range page.Blocks {
		if block.Language == "mermaid" {
			block.Text = wording.ReplaceAllStringFunc(block.Text, func(words string) string {
				return fmt.Sprint(figure.FindAllString(words, -1))
			})
		}
		lines = append(lines, block.Language+" block:\n"+block.Text)
	}
	return lines
}

func TestBothLanguagesSayTheSame(t *testing.T) {
	for twins := range slices.Chunk(pages(t), 2) {
		en, zh := outline(twins[0]), outline(twins[1])
		if len(en) != len(zh) {
			t.Errorf("%s has %d sections and blocks, %s has %d", twins[0].Name, len(en), twins[1].Name, len(zh))
		}
		for i := range min(len(en), len(zh)) {
			if en[i] != zh[i] {
				t.Errorf("%s has\n%s\n%s has\n%s", twins[0].Name, en[i], twins[1].Name, zh[i])
			}
		}
	}
}

// A page has one purpose and no more, and nothing on it scrolls sideways on GitHub.
func TestPagesAreShortAndNarrow(t *testing.T) {
	limits := map[string]int{"README": 240, "shared/ERRORS": 400, "shared/SERVICE": 400}
	for _, page := range pages(t) {
		limit := limits[strings.TrimSuffix(strings.TrimSuffix(page.Name, ".md"), ".zh-CN")]
		if limit == 0 {
			limit = 140
		}
		lines := strings.Split(page.Prose, "\n")
		if len(lines)-1 > limit {
			t.Errorf("%s has %d lines, want at most %d", page.Name, len(lines)-1, limit)
		}
		for i, line := range lines {
			if strings.HasPrefix(line, "|") && (strings.Count(line, "|") > 5 || len([]rune(line)) > 200) {
				t.Errorf("%s:%d: more than four columns, or 200 characters", page.Name, i+1)
			}
		}
		for _, block := range page.Blocks {
			for line := range strings.Lines(block.Text) {
				line = strings.ReplaceAll(strings.TrimSuffix(line, "\n"), "\t", "    ")
				if width := utf8.RuneCountInString(line); width > 98 && block.Language != "mermaid" {
					t.Errorf("%s:%d: a block that is %d characters wide, want at most 98: %s", page.Name, block.Line, width, line)
				}
			}
		}
	}
}
