package acctest

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseBlocks(t *testing.T) {
	page := "# A guide\n\n<!-- file: main.tf -->\n\n```terraform\nprovider \"mira\" {}\n```\n\n<!-- fails: changes -->\nText.\n\n" +
		"```shell\nterraform plan\n\nls\n```\n\n```\nNo changes.\n```\n<!-- not run: no browser -->\n```shell\nopen it\n```\n"
	want := []Block{
		{Guide: "g", Line: 5, Language: "terraform", Text: "provider \"mira\" {}\n", Mark: FileMark, Argument: "main.tf"},
		{Guide: "g", Line: 12, Language: "shell", Text: "terraform plan\n\nls\n"}, // the comment is not right above it
		{Guide: "g", Line: 18, Text: "No changes.\n"},
		{Guide: "g", Line: 22, Language: "shell", Text: "open it\n", Mark: NotRunMark, Argument: "no browser"},
	}
	if diff := cmp.Diff(want, parseBlocks("g", page)); diff != "" {
		t.Errorf("blocks (-want +got):\n%s", diff)
	}
}
