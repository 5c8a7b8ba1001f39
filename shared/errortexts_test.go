package shared_test

import (
	"fmt"
	"io"
	"log"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"example.com/netrpc/shared/rpctest"
)

// TestTextsOfStarting and the tests after it provoke each error text of ERRORS.md, in the order
// of its sections. TestErrorsPageHasTheTexts compares the page with their tables, and
// TestErrorsPageIsComplete with the sources of net/rpc.

// errorText is an entry of the page: a text as a user meets it, and what provokes it.
type errorText struct {
	text    string   // … stands for what differs
	instead []string // what other systems may say in its place
	fate    fate     // of the call that ends with it, if it is a call's
	provoke []provocation
}

// reads returns an entry that is not about a call.
func reads(text string, provoke ...provocation) errorText {
	return errorText{text: text, provoke: provoke}
}

// callEnds returns an entry about a call that ends with the text: whether it is executed, and
// whether its client can be used any more.
func callEnds(text, executed, client string, provoke ...provocation) errorText {
	return errorText{text: text, fate: fate{executed, client}, provoke: provoke}
}

// orElse adds what other systems say.
func (e errorText) orElse(instead ...string) errorText {
	e.instead = instead
	return e
}

// provocation leads to a text.
type provocation func(t *testing.T) outcome

// outcome is what a provocation has led to.
type outcome struct {
	text string
	fate fate
}

// fate is what has become of a call, and of its client: whether the next call works.
type fate struct{ executed, client string }

// The parts of a fate, in the words of the English page.
const (
	notExecuted     = "Not executed"
	hasExecuted     = "Executed"
	perhapsExecuted = "Perhaps executed"
	goesOn          = "the client goes on"
	finished        = "the client is finished"
)

// errorSection is a section of the page, and its test.
type errorSection struct {
	test string
	rows []errorText
}

var errorSections = []errorSection{
	{"TestTextsOfStarting", textsOfStarting},
	{"TestTextsOfDialling", textsOfDialling},
	{"TestTextsOfTheFirstCall", textsOfTheFirstCall},
	{"TestTextsOfLaterCalls", textsOfLaterCalls},
	{"TestTextsInTheServersLog", textsInTheServersLog},
	{"TestTextsOfPanics", textsOfPanics},
}

// provokeAll provokes each of rows. A fate is that of all provocations of a text together: what
// one sees executed and another not is perhaps executed.
func provokeAll(t *testing.T, rows []errorText) {
	if os.Getenv(rpctest.SecondProcess) != "" {
		rpctest.StartProcess(t, Crash{}, new(Clerk)) // in this process it does not return
	}
	defer log.SetOutput(log.Writer())
	log.SetOutput(io.Discard)
	for _, row := range rows {
		fmt.Fprintln(t.Output(), row.text)
		if len(row.provoke) == 0 {
			t.Errorf("nothing provokes %s", row.text)
		}
		together, seen := row.fate, ""
		for i, provoke := range row.provoke {
			got := provoke(t)
			if got.text == impossible {
				fmt.Fprintln(t.Output(), "  cannot be provoked here")
				continue
			}
			isIn := func(text string) bool { return matchesText(text, got.text) }
			if !isIn(row.text) && !slices.ContainsFunc(row.instead, isIn) {
				t.Errorf("what should provoke\n\t%s\nleads to\n\t%s", row.text, got.text)
			}
			if i == 0 {
				together = got.fate
			}
			together = together.and(got.fate)
			if first, _, _ := strings.Cut(got.text, "\n"); first != seen {
				fmt.Fprintf(t.Output(), "  %s\n", first)
				seen = first
			}
		}
		if together != row.fate {
			t.Errorf("%s\n\tthe call and its client: %v, want %v", row.text, together, row.fate)
		}
	}
}

// and returns the fate of a call of which one has seen f, and another time g.
func (f fate) and(g fate) fate {
	if f.executed != g.executed {
		f.executed = perhapsExecuted
	}
	if f.client != g.client {
		f.client = "the client goes on, or is finished"
	}
	return f
}

// impossible is the outcome of a provocation that this system or this user cannot carry out.
const impossible = "impossible here"

// matchesText reports whether got has text, where … stands for anything. "EOF" is a text of its
// own, and not the end of "unexpected EOF".
func matchesText(text, got string) bool {
	if text == "EOF" {
		return got == text || strings.HasSuffix(got, ": EOF")
	}
	return hasInOrder(got, strings.Split(text, "…"))
}

// hasInOrder reports whether text has all parts, one behind the other.
func hasInOrder(text string, parts []string) bool {
	for _, part := range parts {
		_, after, found := strings.Cut(text, part)
		if !found {
			return false
		}
		text = after
	}
	return true
}

// returned provokes by f, whose error has the text.
func returned(f func(t *testing.T) error) provocation {
	return func(t *testing.T) outcome { return outcome{text: fmt.Sprint(f(t))} }
}

// panicked provokes by f, which panics with the text.
func panicked(f func(t *testing.T)) provocation {
	return func(t *testing.T) (got outcome) {
		defer func() { got.text = fmt.Sprint(recover()) }()
		f(t)
		return outcome{}
	}
}

// logs returns an entry that the standard logger prints, some time after each of provoke.
func logs(text string, provoke ...func(t *testing.T)) errorText {
	row := errorText{text: text}
	for _, f := range provoke {
		row.provoke = append(row.provoke, func(t *testing.T) outcome {
			lines := make(lineWriter, 100)
			defer log.SetOutput(log.Writer())
			log.SetOutput(lines)
			f(t)
			var seen string // what servers of other tests may say as they end, too
			for !matchesText(text, seen) {
				seen = rpctest.Within(t, lines, fmt.Sprintf("%q in the log, after %q", text, seen))
			}
			return outcome{text: seen}
		})
	}
	return row
}

// lineWriter receives the lines that a logger writes.
type lineWriter chan string

func (w lineWriter) Write(p []byte) (int, error) {
	select {
	case w <- string(p):
	default: // nobody wants that many
	}
	return len(p), nil
}

// errorsPage is one of the two languages of the page.
type errorsPage struct {
	file  string
	words map[string]string // those of a fate, in this language
	form  string            // of a fate
}

var errorsPages = []errorsPage{
	{"ERRORS.md", map[string]string{
		notExecuted: notExecuted, hasExecuted: hasExecuted, perhapsExecuted: perhapsExecuted,
		goesOn: goesOn, finished: finished,
	}, "*%s; %s.*"},
	{"ERRORS.zh-CN.md", map[string]string{
		notExecuted: "未执行", hasExecuted: "已执行", perhapsExecuted: "不确定是否执行",
		goesOn: "客户端可以继续用", finished: "客户端不能再用",
	}, "*%s；%s。*"},
}

// pageEntry is an entry of the page: one or more texts, in bold, and what is said of them.
type pageEntry struct {
	test  string // the last one above it that provokes texts
	texts []string
	prose string
}

var (
	boldCode = regexp.MustCompile("\\*\\*`([^`]+)`\\*\\*")
	testLink = regexp.MustCompile(`\[(Test(?:Texts)\w+)\]`)
)

// entries returns those of the page, each a paragraph or an item of a list that begins with a
// text in bold.
func (p errorsPage) entries(t *testing.T) []pageEntry {
	t.Helper()
	b, err := os.ReadFile(p.file)
	if err != nil {
		t.Fatal(err)
	}
	paragraphs := strings.ReplaceAll(strings.ReplaceAll(string(b), "\r\n", "\n"), "\n- ", "\n\n- ")
	var entries []pageEntry
	test := ""
	for paragraph := range strings.SplitSeq(paragraphs, "\n\n") {
		if link := testLink.FindStringSubmatch(paragraph); link != nil {
			test = link[1]
		}
		paragraph = strings.TrimPrefix(strings.TrimSpace(paragraph), "- ")
		if !strings.HasPrefix(paragraph, "**`") {
			continue
		}
		e := pageEntry{test: test, prose: paragraph}
		for _, bold := range boldCode.FindAllStringSubmatch(paragraph, -1) {
			e.texts = append(e.texts, bold[1])
		}
		entries = append(entries, e)
	}
	return entries
}

// Both languages of the page have the texts that are provoked, no other ones, in the order of the
// tables, below a link to their test, with the fate of the call and with what other systems say.
func TestErrorsPageHasTheTexts(t *testing.T) {
	var provoked []string
	rows, tests := make(map[string]errorText), make(map[string]string)
	for _, section := range errorSections {
		for _, row := range section.rows {
			provoked = append(provoked, row.text)
			rows[row.text], tests[row.text] = row, section.test
		}
	}
	for _, page := range errorsPages {
		var onPage []string
		for _, entry := range page.entries(t) {
			for _, text := range entry.texts {
				onPage = append(onPage, text)
				row, ok := rows[text]
				if !ok {
					t.Errorf("%s has a text that nothing provokes: %s", page.file, text)
					continue
				}
				if entry.test != tests[text] {
					t.Errorf("%s has %s below %s, want below %s", page.file, text, entry.test, tests[text])
				}
				for _, instead := range row.instead {
					if !strings.Contains(entry.prose, "`"+instead+"`") {
						t.Errorf("%s, at %s, does not say that other systems say %s", page.file, text, instead)
					}
				}
				got, want := page.fates(entry.prose), page.fates(page.say(row.fate))
				if !slices.Equal(got, want) {
					t.Errorf("%s, at %s, says of the call %q, want %q", page.file, text, got, want)
				}
			}
		}
		for _, text := range provoked {
			if !slices.Contains(onPage, text) {
				t.Errorf("%s lacks a text that is provoked: %s", page.file, text)
			}
		}
		if !t.Failed() && !slices.Equal(onPage, provoked) {
			t.Errorf("%s has the texts in another order than the tables:\n%s\nwant\n%s",
				page.file, strings.Join(onPage, "\n"), strings.Join(provoked, "\n"))
		}
		fmt.Fprintf(t.Output(), "%s: %d texts\n", page.file, len(onPage))
	}
}

// say returns what the page says of f.
func (p errorsPage) say(f fate) string {
	if f == (fate{}) {
		return ""
	}
	return fmt.Sprintf(p.form, p.words[f.executed], p.words[f.client])
}

// fates returns what prose says of the fates of calls, in the form of say.
func (p errorsPage) fates(prose string) []string {
	var said []string
	for _, executed := range []string{notExecuted, hasExecuted, perhapsExecuted} {
		for _, client := range []string{goesOn, finished} {
			if phrase := p.say(fate{executed, client}); strings.Contains(prose, phrase) {
				said = append(said, phrase)
			}
		}
	}
	return said
}

// onUnix returns p, and on Windows a provocation that is impossible.
func onUnix(p provocation) provocation {
	if runtime.GOOS == "windows" {
		return func(*testing.T) outcome { return outcome{text: impossible} }
	}
	return p
}
