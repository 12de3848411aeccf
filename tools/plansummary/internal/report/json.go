package report

import (
	"encoding/json"
	"io"

	"github.com/mira-cluster/terraform-provider-mira/tools/plansummary/internal/summary"
)

// JSON writes a summary for programs. It leaves nothing out.
func JSON(w io.Writer, s *summary.Summary) error { return encode(w, s) }

// DriftJSON writes the fields that were changed for programs.
func DriftJSON(w io.Writer, drifts []summary.Drift) error {
	return encode(w, struct {
		FormatVersion string          `json:"format_version"`
		Drift         []summary.Drift `json:"drift"`
	}{"1.0", drifts})
}

func encode(w io.Writer, v any) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(v)
}
