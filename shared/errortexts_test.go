package shared_test

import (
	"cmp"
	"encoding/gob"
	"errors"
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

// reads returns an entry that is not about a call. The errors of provoke have the text.
func reads(text string, provoke ...func(t *testing.T) error) errorText {
	row := errorText{text: text}
	for _, f := range provoke {
		provoke := func(t *testing.T) outcome { return outcome{text: fmt.Sprint(f(t))} }
		row.provoke = append(row.provoke, provoke)
	}
	return row
}

// callEnds returns an entry about a call that ends with the text.
func callEnds(text string, fate fate, provoke ...provocation) errorText {
	return errorText{text: text, fate: fate, provoke: provoke}
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

// The common ones: a call is not executed, and its client goes on or is spoilt; it is executed, and
// its reply cannot be read; nobody knows, for the connection is lost.
var (
	refused = fate{notExecuted, goesOn}
	spoilt  = fate{notExecuted, finished}
	unread  = fate{hasExecuted, finished}
	lost    = fate{perhapsExecuted, finished}
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
		gob.Register(Disc{})
		rpctest.StartProcess(t, Crash{}, new(Clerk)) // in this process it does not return
	}
	defer log.SetOutput(log.Writer())
	log.SetOutput(io.Discard)
	for _, row := range rows {
		fmt.Fprintln(t.Output(), row.text)
		if len(row.provoke) == 0 {
			t.Errorf("nothing provokes %s", row.text)
		}
		together := row.fate
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
			if got.fate.executed != together.executed {
				together.executed = perhapsExecuted
			}
			if got.fate.client != row.fate.client {
				together.client = got.fate.client
			}
			first, _, _ := strings.Cut(got.text, "\n")
			fmt.Fprintf(t.Output(), "  %s\n", first)
		}
		if together != row.fate {
			t.Errorf("%s\n\tthe call and its client: %v, want %v", row.text, together, row.fate)
		}
	}
}

// impossible is the outcome of a provocation that this system or this user cannot carry out.
const impossible = "impossible here"

// matchesText reports whether got has text, where … stands for anything. "EOF" is a text of its
// own, and not the end of "unexpected EOF".
func matchesText(text, got string) bool {
	if text == "EOF" {
		return got == text || strings.HasSuffix(got, ": EOF")
	}
	for part := range strings.SplitSeq(text, "…") {
		_, after, found := strings.Cut(got, part)
		if !found {
			return false
		}
		got = after
	}
	return true
}

// panicked returns what f panics with.
func panicked(f func()) func(*testing.T) error {
	return func(*testing.T) (err error) {
		defer func() { err = fmt.Errorf("%v", recover()) }()
		f()
		return nil
	}
}

// logged returns what the standard logger prints, some time after f. What f returns stands in that
// line, and in nobody else's.
func logged(f func(t *testing.T) (own string)) func(*testing.T) error {
	return func(t *testing.T) error {
		lines := make(lineWriter, 100)
		defer log.SetOutput(log.Writer())
		log.SetOutput(lines)
		own, line := f(t), ""
		for !strings.Contains(line, own) {
			line = rpctest.Within(t, lines, fmt.Sprintf("%q in the log, after %q", own, line))
		}
		return errors.New(line)
	}
}

// logs returns what is logged of what do does, if own stands in that line alone.
func logs[T any](own string, do func(t *testing.T) T) func(*testing.T) error {
	return logged(func(t *testing.T) string {
		do(t)
		return own
	})
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
	form  string            // of a fate
	words map[string]string // of a fate, if they are not the English ones
}

var errorsPages = []errorsPage{
	{"ERRORS.md", "*%s; %s.*", nil},
	{"ERRORS.zh-CN.md", "*%s；%s。*", map[string]string{
		notExecuted: "未执行", hasExecuted: "已执行", perhapsExecuted: "不确定是否执行",
		goesOn: "客户端可以继续用", finished: "客户端不能再用",
	}},
}

// pageEntry is an entry of the page: one or more texts, in bold, and what is said of them.
type pageEntry struct {
	test  string // the last one above it that provokes texts
	texts []string
	prose string
}

var (
	boldCode = regexp.MustCompile("\\*\\*`([^`]+)`\\*\\*")
	italics  = regexp.MustCompile("\\*[^*`]+[.。]\\*")
	testLink = regexp.MustCompile(`\[(Test(?:Texts)\w+)\]`)
)

// entries returns those of the page, each a paragraph or an item of a list that begins with a
// text in bold.
func (p errorsPage) entries(t *testing.T) []pageEntry {
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
				if entry.test != tests[text] {
					t.Errorf("%s has %s below %q, want below %q", page.file, text, entry.test, tests[text])
				}
				for _, instead := range rows[text].instead {
					if !strings.Contains(entry.prose, "`"+instead+"`") {
						t.Errorf("%s, at %s, does not say that other systems say %s", page.file, text, instead)
					}
				}
				got, want := strings.Join(italics.FindAllString(entry.prose, -1), " "), page.say(rows[text].fate)
				got = strings.Join(strings.Fields(got), " ") // a line may end in it
				if got != want {
					t.Errorf("%s, at %s, says of the call %q, want %q", page.file, text, got, want)
				}
			}
		}
		for i, text := range provoked {
			if i >= len(onPage) || onPage[i] != text {
				t.Errorf("%s lacks, as text %d: %s", page.file, i+1, text)
				break // the others are out of step
			}
		}
		fmt.Fprintf(t.Output(), "%s: %d texts\n", page.file, len(onPage))
	}
}

// say returns what the page says of f.
func (p errorsPage) say(f fate) string {
	if f == (fate{}) {
		return ""
	}
	word := func(english string) string { return cmp.Or(p.words[english], english) }
	return fmt.Sprintf(p.form, word(f.executed), word(f.client))
}

// Where some provocations are possible.
const (
	onUnix  = runtime.GOOS != "windows"
	onLinux = runtime.GOOS == "linux"
)

// where carries out a provocation where it is possible.
func where(possible bool, provoke func(*testing.T) error) func(*testing.T) error {
	if possible {
		return provoke
	}
	return func(*testing.T) error { return errors.New(impossible) }
}
