package command

import (
	"slices"
	"testing"
)

func TestChanged(t *testing.T) {
	output := `
mira_client.this["c0001"]: Refreshing state... [id=bench/c0001]

  # mira_client.this["c0001"] will be updated in-place
  ~ resource "mira_client" "this" {
  # kubectl_manifest.this["c0002/Service"] must be replaced
-/+ resource "kubectl_manifest" "this" {
  # terraform_data.one will be created
  # mira_client.this["c0003"] has changed
      # (2 unchanged attributes hidden)
  # mira_client.this["c0001"] will be updated in-place
`
	want := []string{"c0001", "c0002/Service", "terraform_data.one"}
	if got := Changed(output); !slices.Equal(got, want) {
		t.Errorf("Changed = %v, want %v", got, want)
	}
	if got := Changed("No changes. Your infrastructure matches the configuration."); len(got) != 0 {
		t.Errorf("Changed = %v, want none", got)
	}
}
