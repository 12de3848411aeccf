package acctest

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Block is a code block of a guide. What a test does with it follows from its language and from
// an HTML comment above it, which no reader sees:
//
//   - `<!-- file: NAME -->`: it is the content of a file, in the folder that the reader works in.
//   - `<!-- not run: REASON -->`: it cannot be run by a test.
//   - `<!-- fails: REASON -->`: its last command ends with another exit code than 0.
//
// A block of commands (shell) without a comment must succeed. One without a language is what the
// commands before it print; a line `...` in it stands for any lines.
type Block struct {
	Guide          string
	Line           int
	Language, Text string
	Mark, Argument string // of the comment
}

// What a comment above a block says.
const (
	FileMark   = "file"
	NotRunMark = "not run"
	FailsMark  = "fails"
)

// String says where the block stands.
func (b Block) String() string {
	return fmt.Sprintf("docs/guides/%s.md, line %d", b.Guide, b.Line)
}

var (
	fence = regexp.MustCompile("^```([a-z]*)$")
	mark  = regexp.MustCompile(`^<!-- (` + FileMark + `|` + NotRunMark + `|` + FailsMark + `): (.+) -->$`)
)

// GuideNames returns the names of all guides.
func GuideNames(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(Root(), "docs", "guides", "*.md"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no guides: %v", err)
	}
	names := make([]string, 0, len(files))
	for _, file := range files {
		names = append(names, strings.TrimSuffix(filepath.Base(file), ".md"))
	}
	return names
}

// GuideBlocks returns the code blocks of a guide, in their order.
func GuideBlocks(t *testing.T, guide string) []Block {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(Root(), "docs", "guides", guide+".md"))
	if err != nil {
		t.Fatal(err)
	}
	return parseBlocks(guide, string(page))
}

func parseBlocks(guide, page string) []Block {
	var (
		blocks []Block
		next   Block // what the last comment says
		text   strings.Builder
		inside bool
	)
	for i, line := range strings.Split(page, "\n") {
		start := fence.FindStringSubmatch(line)
		switch {
		case inside && line == "```":
			inside = false
			next.Text = text.String()
			blocks = append(blocks, next)
			next = Block{}
			text.Reset()
		case inside:
			text.WriteString(line + "\n")
		case start != nil:
			inside = true
			next.Guide, next.Line, next.Language = guide, i+1, start[1]
		case strings.TrimSpace(line) != "":
			next = Block{}
			if comment := mark.FindStringSubmatch(line); comment != nil {
				next.Mark, next.Argument = comment[1], comment[2]
			}
		}
	}
	return blocks
}
