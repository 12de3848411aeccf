package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/mira-cluster/terraform-provider-mira/tools/plansummary/internal/summary"
)

// MarkdownLimit is how many characters a comment of a pull request may have on GitHub. Other places allow more.
const MarkdownLimit = 65536

const (
	// mostNames is how many bytes the names of one list may take.
	mostNames = 4000
	// mostValue is how many characters of a value are shown.
	mostValue = 200
	// mostText is how many characters of a warning are shown.
	mostText = 1000
	// mostFields is how many fields of one change are shown.
	mostFields = 40
	// reserve is room for what says that something was left out.
	reserve = 400
	// dangerShare is the part of the room that dangers may take, so that the changes have some, too.
	dangerShare = 3.0 / 4
)

// bounded collects Markdown of at most limit bytes, and so of at most as many characters.
type bounded struct {
	strings.Builder
	limit int
}

// add adds a block if there is room for it.
func (b *bounded) add(block string) bool {
	if b.Len()+len(block) > b.limit {
		return false
	}
	b.WriteString(block)
	return true
}

// Markdown writes a summary that has at most limit bytes, and says what it leaves out.
func Markdown(w io.Writer, s *summary.Summary, limit int) error {
	b := &bounded{limit: limit - reserve}
	name := namer(s)
	b.add("### MIRA fleet\n\n" + headline(s) + "\n")
	for _, remark := range remarks(s) {
		b.add("\n> " + remark + "\n")
	}
	if len(s.Dangers) == 0 && len(s.Groups) > 0 {
		b.add("\nNothing dangerous.\n")
	}
	if len(s.Dangers) > 0 {
		b.add("\n#### :warning: Dangerous\n")
		all := b.limit
		b.limit = int(float64(all) * dangerShare)
		left, leftClients := 0, 0
		for _, d := range s.Dangers {
			if !b.add(block(dangerTitle(d), names(d.Clients, name), d.Fields) + textBlock(d.Text)) {
				left, leftClients = left+1, leftClients+len(d.Clients)
			}
		}
		b.limit = all
		if left > 0 {
			fmt.Fprintf(b, "\n**Left out: %s, of %s.**\n", counted(left, "more danger"), counted(leftClients, "client"))
		}
	}
	addWarnings(b, s, name)
	if len(s.Templates)+len(s.Groups) > 0 {
		b.add("\n#### Changes\n")
	}
	for _, t := range s.Templates {
		b.add(block(fmt.Sprintf("Template %s %s", t.Address, done[t.Action]), nil, t.Fields))
	}
	left, leftClients := 0, 0
	for _, g := range s.Groups {
		if left > 0 || !b.add(block(groupTitle(g), names(g.Clients, name), g.Fields)) {
			left, leftClients = left+1, leftClients+len(g.Clients)
		}
	}
	if left > 0 {
		fmt.Fprintf(b, "\n*Left out for want of room: %s, of %s. `plansummary -format text` shows all.*\n",
			counted(left, "more change"), counted(leftClients, "client"))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func addWarnings(b *bounded, s *summary.Summary, name func(summary.Client) string) {
	if len(s.Warnings) > 0 {
		b.add("\n#### Warnings\n")
	}
	left := 0
	for _, w := range s.Warnings {
		if left > 0 || !b.add(block(warningTitle(w), names(w.Clients, name), nil)+textBlock(w.Text)) {
			left++
		}
	}
	if left > 0 {
		b.add(fmt.Sprintf("\n*Left out for want of room: %s.*\n", counted(left, "more warning")))
	}
}

// textBlock is the text of a warning; "" for none.
func textBlock(of string) string {
	text := []rune(indented(of))
	if len(text) == 0 {
		return ""
	}
	if len(text) > mostText {
		text = append(text[:mostText], []rune("...\n")...)
	}
	fence := fenceFor(string(text))
	return "\n" + fence + "\n" + string(text) + fence + "\n"
}

// block is one thing that happens, to whom, and the fields, as a difference.
func block(title string, names []string, fields []summary.Field) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n**%s**", escaped(title))
	if len(names) > 0 {
		b.WriteString(": " + nameList(names))
	}
	b.WriteString("\n")
	if len(fields) == 0 {
		return b.String()
	}
	var lines strings.Builder
	for i, field := range fields {
		if i == mostFields {
			fmt.Fprintf(&lines, "  and %s\n", counted(len(fields)-i, "more field"))
			break
		}
		lines.WriteString(cutLine(field) + "\n")
	}
	fence := fenceFor(lines.String())
	b.WriteString("\n" + fence + "diff\n" + lines.String() + fence + "\n")
	return b.String()
}

// cutLine is a field's line. Long values that differ only behind the cut are cut before the difference.
func cutLine(f summary.Field) string {
	line := fieldLine(f, mostValue)
	if hidesDifference(f, mostValue) {
		line += fmt.Sprintf("  (they differ from character %d on)", commonAt(f)+1)
	}
	// A line that begins with "~" has no colour in a difference; "!" has one.
	if strings.HasPrefix(line, "~") {
		line = "!" + line[1:]
	}
	return line
}

// fenceFor returns a fence that the text does not hold.
func fenceFor(text string) string {
	fence := "```"
	for strings.Contains(text, fence) {
		fence += "`"
	}
	return fence
}

// nameList lists names as code, so that none of them can be anything else.
func nameList(names []string) string {
	var b strings.Builder
	for i, name := range names {
		item := codeSpan(name)
		if b.Len()+len(item) > mostNames {
			fmt.Fprintf(&b, " and %d more", len(names)-i)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(item)
	}
	return b.String()
}

func codeSpan(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if !strings.Contains(text, "`") {
		return "`" + text + "`"
	}
	fence := fenceFor(text)
	return fence + " " + text + " " + fence
}

// escaped returns a text without any meaning for Markdown.
func escaped(text string) string {
	var b strings.Builder
	for _, r := range text {
		if strings.ContainsRune("\\`*_{}[]<>#|~", r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// DriftMarkdown writes the fields that were changed, in at most limit bytes.
func DriftMarkdown(w io.Writer, drifts []summary.Drift, limit int) error {
	b := &bounded{limit: limit - reserve}
	b.WriteString("### MIRA fleet: drift\n\n")
	if len(drifts) == 0 {
		b.WriteString("None.\n")
		_, err := io.WriteString(w, b.String())
		return err
	}
	name := driftNamer(drifts)
	var lines []string
	for _, d := range drifts {
		line := []rune(driftLine(d, name(d.Client)))
		if len(line) > 2*mostValue {
			line = append(line[:2*mostValue], []rune("...")...)
		}
		lines = append(lines, string(line)+"\n")
	}
	fence := fenceFor(strings.Join(lines, ""))
	b.WriteString(fence + "\n")
	b.limit -= len(fence) + 1
	left := 0
	for _, line := range lines {
		if left > 0 || !b.add(line) {
			left++
		}
	}
	b.WriteString(fence + "\n")
	if left > 0 {
		fmt.Fprintf(b, "\n*Left out for want of room: %s. `plansummary -drift -format text` shows all.*\n", counted(left, "more field"))
	}
	_, err := io.WriteString(w, b.String())
	return err
}
