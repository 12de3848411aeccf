package template

import (
	"strings"
	"testing"
)

func TestSyntaxErrorsNameTheirLine(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{
			"a value within a value",
			"a: 1\nc: b: c\nd: 1\n",
			"line 2: not valid YAML: mapping values are not allowed in this context",
		},
		{
			"a mistake in the first line",
			"a: b: c\n",
			"line 1: not valid YAML: mapping values are not allowed in this context",
		},
		{
			"a key that is indented too far",
			"a: 1\nb: 2\n  c: 3\nd: 4\n",
			"line 3: not valid YAML: mapping values are not allowed in this context",
		},
		{
			"a key that is indented too far after comments and empty lines",
			"x: 1\na: b\n\n\n# comment\n   q: 1\n\n# comment\nz: 1\n",
			"line 6: not valid YAML: did not find expected key (in the block that begins in line 1)",
		},
		{
			"a key that is indented too little",
			"x: 1\na:\n    b: 1\n  c: 2\nd: 1\n",
			"line 4: not valid YAML: did not find expected key (in the block that begins in line 1)",
		},
		{
			"a key among list items",
			"x: 1\na:\n  - x\n  y: 1\nb: 2\n",
			"line 4: not valid YAML: did not find expected '-' indicator (in the block that begins in line 3)",
		},
		{
			"a line without a colon",
			"a: 1\nb\nc: 2\n",
			"line 2: not valid YAML: could not find expected ':'",
		},
		{
			"text after a quoted value",
			"x: 1\na: 'b' c\nd: 1\n",
			"line 2: not valid YAML: did not find expected key (in the block that begins in line 1)",
		},
		{
			"a quote that is never closed",
			"x: 1\na: \"x\nb: 1\nc: 2\n",
			"line 2: not valid YAML: found unexpected end of stream; the quote that begins here is never closed",
		},
		{
			"a quote that is never closed after others that are, over several lines",
			"x: 'one\n  two\n  three'\na: \"x\nb: 1\nc: 2\n",
			"line 4: not valid YAML: found unexpected end of stream; the quote that begins here is never closed",
		},
		{
			"an unknown escape",
			"x: 1\na: \"\\q\"\nb: 1\n",
			"line 2: not valid YAML: found unknown escape character",
		},
		{
			"a bracket that is not closed before the next key",
			"x: 1\na: [1, 2\nb: 3\nc: 4\n",
			"line 3: not valid YAML: did not find expected ',' or ']' (in the block that begins in line 2)",
		},
		{
			"a bracket that is not closed at the end",
			"x: 1\na: [1, 2\n",
			"line 2: not valid YAML: did not find expected ',' or ']'; the bracket that opens here is never closed",
		},
		{
			"a comma that is missing in JSON",
			"{\n \"a\": [1, \"]\"], # ]\n \"b\": \"\\\"\"\n \"c\": 3\n}\n",
			"line 4: not valid YAML: did not find expected ',' or '}' (in the block that begins in line 1)",
		},
		{
			"a comma that is missing deep in JSON",
			"{\n \"a\": {\n  \"b\": [\n   1,\n   2\n  ],\n  \"c\": 1\n  \"d\": 3\n }\n}\n",
			"line 8: not valid YAML: did not find expected ',' or '}' (in the block that begins in line 2)",
		},
		{
			"a tab in the indentation",
			"x: 1\na:\n\tb: 1\n",
			"line 3: not valid YAML: found character that cannot start any token; the line is indented with a tab, YAML takes spaces only",
		},
		{
			"a percent sign that begins no placeholder",
			"x: 1\na: %client%\nb: 1\n",
			"line 2: not valid YAML: found character that cannot start any token; what begins with % and is no placeholder must be quoted," +
				" and a placeholder's name has two or more capital letters, digits or underscores",
		},
		{
			"a percent sign in the first column",
			"x: 1\n---\n%client%: a\n",
			"line 3: not valid YAML: found unexpected non-alphabetical character; what begins with % and is no placeholder must be quoted," +
				" and a placeholder's name has two or more capital letters, digits or underscores",
		},
		{
			"a mistake in a later document",
			"a: 1\n---\nb: 1\n--- \nc: 1\n d: 2\n",
			"line 6: not valid YAML: mapping values are not allowed in this context",
		},
		{
			"an alias without an anchor",
			"x: 1\na: *foo\nb: 1\n",
			"line 2: the alias *foo has no anchor &foo before it",
		},
		{
			"a placeholder in an alias",
			"a: &%FOO% x\nb: *%FOO%\n",
			"line 2: the alias *%FOO% holds a placeholder, which is possible in values and keys only",
		},
		{
			"a placeholder in the message is written as in the template",
			"a: 1\nb: !%FOO%!x y\n",
			"line 2: not valid YAML: found undefined tag handle",
		},
		{
			"a control character",
			"x: 1\ny: \x01\n",
			"line 2: the control character U+0001 is not allowed in YAML",
		},
		{
			"bytes that are no UTF-8",
			"x: 1\ny: \xff\n",
			"line 2: not valid UTF-8 text",
		},
		{
			"line breaks of Windows",
			"a: 1\r\nb: 2\r\nc: b: c\r\nd: 1\r\n",
			"line 3: not valid YAML: mapping values are not allowed in this context",
		},
		{
			"no line break at the end",
			"a: 1\nc: b: c",
			"line 2: not valid YAML: mapping values are not allowed in this context",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := Parse(test.text)
			wantErrors(t, err, test.want)
		})
		t.Run(test.name+", after an object and with placeholders before it", func(t *testing.T) {
			before := "# %COMMENT%\napiVersion: v1 # %FOO%\nkind: ConfigMap\nmetadata:\n  name: '%CLIENT_NAME%'\n  labels: {a: %FOO%}\n---\n"
			_, err := Parse(before + test.text)
			var plain []*Error
			if _, err := Parse(test.text); err != nil {
				plain = Errors(err)
			}
			moved := Errors(err)
			if len(moved) != 1 || len(plain) != 1 || moved[0].Line != plain[0].Line+strings.Count(before, "\n") {
				t.Errorf("got %v, want the line of %v and %d more", err, plain, strings.Count(before, "\n"))
			}
		})
	}
}

func TestReplacementCharacterIsText(t *testing.T) {
	if _, err := Parse(configMap("a: \ufffd")); err != nil {
		t.Error(err)
	}
}

func TestByteOrderMarkIsSkipped(t *testing.T) {
	if _, err := Parse("\ufeff" + configMap("a: b")); err != nil {
		t.Error(err)
	}
}
