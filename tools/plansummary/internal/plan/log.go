package plan

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
)

// Warning is a warning of the CLI or the provider, which the JSON form of a plan does not have.
type Warning struct {
	Title  string
	Client string // that the title names; empty if it names none
	Text   string
}

// ofClient is how the provider names the client in the title of a warning that must be read for each.
var ofClient = regexp.MustCompile(`^(.*) \(Client "([^"]*)"\)$`)

// DecodeLog reads the warnings of a plan from what `terraform plan -json` prints: a JSON document in each line.
func DecodeLog(r io.Reader) ([]Warning, error) {
	const longestLine = 16 << 20
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, longestLine)
	var warnings []Warning
	number := 0
	for lines.Scan() {
		number++
		if len(lines.Bytes()) == 0 {
			continue
		}
		var line struct {
			Level      string `json:"@level"`
			Diagnostic *struct {
				Severity string `json:"severity"`
				Summary  string `json:"summary"`
				Detail   string `json:"detail"`
			} `json:"diagnostic"`
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil || line.Level == "" {
			return nil, &InputError{What: fmt.Sprintf("no log of a plan (line %d)", number),
				Advice: "write one with `terraform plan -json -out=PLANFILE > LOG` (OpenTofu: `tofu plan -json`)"}
		}
		if line.Diagnostic == nil || line.Diagnostic.Severity != "warning" {
			continue
		}
		warning := Warning{Title: line.Diagnostic.Summary, Text: line.Diagnostic.Detail}
		if found := ofClient.FindStringSubmatch(warning.Title); found != nil {
			warning.Title, warning.Client = found[1], found[2]
		}
		warnings = append(warnings, warning)
	}
	return warnings, lines.Err()
}
