package shared_test

import (
	"fmt"
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"go/types"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"example.com/netrpc/shared/rpctest"
)

// sourcesRead is the version of Go whose sources the page is complete for. It is frozen code: the
// versions before and after it have hardly another text.
const sourcesRead = "go1.26"

// compiledOut is the reason of those that older Go had in the log. So they stand on the page, too.
const compiledOut = "compiled out, by debugLog or logRegisterError"

// unmet are the texts of net/rpc, net/rpc/jsonrpc and encoding/gob that no user meets, by the reason.
var unmet = map[string][]string{
	compiledOut: {
		"rpc.Register: argument type of method … is not exported: …",
		"rpc.Register: method … has … input parameters; needs exactly three",
		"rpc.Register: method … has … output parameters; needs exactly one",
		"rpc.Register: reply type of method … is not a pointer: …",
		"rpc.Register: reply type of method … is not exported: …",
		"rpc.Register: return type of method … is …, must be error",
		"rpc: client protocol error:",
		"rpc: discarding Call reply due to insufficient Done chan capacity",
		"rpc: writing response:",
	},
	"cannot happen, as the sources say or as an earlier check sees to": {
		"bootstrap type …",
		"getTypeInfo: …",
		"gob: can't happen: …",
		"gob: decode can't handle type …", // a channel, which is no compatible type
		"gob: unknown size of …",
		"invalid sequence number in response", // of a call that has had its answer
		"nextId too large:",
		"no error", // in the place of one
		"non-empty decoder buffer",
		"rpc: gob error encoding response:", // of a Response, which gob can encode
	},
	"only for a message of 8 GiB, or 1 GiB on 32 bits": {
		"gob: encoder: message too big",
		"invalid message length", // or for bytes that are not gob
	},
	"only for a type that nobody declares: a pointer to itself, or with a name of more than 1024 bytes": {
		"can't represent recursive pointer type …",
		"gob: name too long (…",
	},
	"only from bytes that no Go peer sends": {
		"drop",
		"extra data in buffer",
		"gob: … in decodeArray",
		"gob: … in ignoreArray",
		"gob: … exceeds input size…",
		"gob: … slice too big: …",
		"gob: … too large for buffer",
		"gob: … too long for buffer: …",
		"gob: bad … slice length: …",
		"gob: bad data: …",
		"gob: decode: corrupted data: …",
		"gob: empty name for remote field of type …",
		"gob: error decoding []byte…",
		"gob: ignore decode: corrupted data: …",
		"gob: invalid type name length …",
		"gob: slice length too large",
		"invalid nesting depth",
	},
}

// Each text that the sources of net/rpc, net/rpc/jsonrpc and encoding/gob give to an error, a log or
// a panic stands on the page, or is one that no user meets. In other versions of Go than the one
// that has been read, a new text is no failure.
func TestErrorsPageIsComplete(t *testing.T) {
	version := runtime.Version()
	report := t.Logf
	if strings.HasPrefix(version, sourcesRead) {
		report = t.Errorf
	}
	patterns := slices.Concat(slices.Collect(maps.Values(unmet))...)
	used := make(map[string]bool)
	isUnmet := func(text string) (found bool) {
		for _, pattern := range patterns {
			if matchesText(pattern, text) {
				found, used[pattern] = true, true
			}
		}
		return found
	}
	var texts, onPage int
	for _, path := range []string{"net/rpc", "net/rpc/jsonrpc", "encoding/gob"} {
		for _, text := range textsInSources(t, path) {
			texts++
			has := slices.ContainsFunc(errorSections, func(s errorSection) bool {
				return slices.ContainsFunc(s.rows, func(row errorText) bool { return matchesText(text, row.text) })
			})
			switch {
			case has:
				onPage++
			case !isUnmet(text):
				report("%s of %s has a text that the page has not: %q", path, version, text)
			}
		}
	}
	for _, pattern := range patterns {
		if !used[pattern] {
			report("%s has no such text any more: %q", version, pattern)
		}
	}
	for _, page := range errorsPages {
		b, err := os.ReadFile(page.file)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range unmet[compiledOut] {
			if !strings.Contains(strings.ReplaceAll(string(b), `"…"`, "…"), "`"+text+"`") {
				t.Errorf("%s lacks a text that older Go logs: %s", page.file, text)
			}
		}
	}
	fmt.Fprintf(t.Output(), "%s: %d texts; on the page: %d; that no user meets: %d\n",
		version, texts, onPage, texts-onPage)
}

// textsInSources returns the texts that a package's sources give to the functions that make, print
// or throw an error, with … for what is put in, and without repetitions. Without sources, it skips
// the test.
func textsInSources(t *testing.T, path string) []string {
	pkg, err := build.Import(path, "", 0)
	rpctest.SkipUnlessCI(t, err)
	var texts []string
	for _, name := range pkg.GoFiles {
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(pkg.Dir, name), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range file.Decls {
			texts = append(texts, textsIn(decl)...)
		}
	}
	slices.Sort(texts)
	return slices.Compact(texts)
}

var reports = regexp.MustCompile(`^(errors\.New|fmt\.Errorf|errorf|log\.\w+|panic|ServerError)$`)

// textsIn returns the texts of a declaration.
func textsIn(decl ast.Decl) []string {
	var texts []string
	assigned := make(map[string][]string) // to variables that may be given to the functions
	ast.Inspect(decl, func(n ast.Node) bool {
		if a, ok := n.(*ast.AssignStmt); ok && len(a.Lhs) == 1 && len(a.Rhs) == 1 {
			if v, ok := a.Lhs[0].(*ast.Ident); ok {
				assigned[v.Name] = append(assigned[v.Name], textOf(a.Rhs[0]))
			}
		}
		return true
	})
	ast.Inspect(decl, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || !reports.MatchString(types.ExprString(call.Fun)) {
			return true
		}
		for _, arg := range call.Args {
			found := []string{textOf(arg)}
			if v, ok := arg.(*ast.Ident); ok {
				found = assigned[v.Name]
			}
			for _, text := range found {
				if strings.Trim(text, "… ") == "" {
					continue
				}
				if types.ExprString(call.Fun) == "errorf" {
					text = "gob: " + text
				}
				texts = append(texts, strings.ReplaceAll(text, "….…", "…"))
			}
		}
		return true
	})
	return texts
}

var verb = regexp.MustCompile(`%[+#.0-9]*[a-z]`)

// textOf returns the text of an expression, with … for all but its literals.
func textOf(expr ast.Expr) string {
	switch e := expr.(type) {
	case *ast.BasicLit:
		if s, err := strconv.Unquote(e.Value); err == nil {
			return verb.ReplaceAllString(s, "…")
		}
	case *ast.BinaryExpr:
		return textOf(e.X) + textOf(e.Y)
	case *ast.CallExpr:
		if name := types.ExprString(e.Fun); name == "fmt.Sprintf" || name == "fmt.Sprintln" {
			return textOf(e.Args[0])
		}
	}
	return "…"
}
