package provider

import (
	"regexp"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
)

// saysDefault finds what an attribute without a value is, in its description.
var saysDefault = regexp.MustCompile(`(?i)\bdefaults?\b|\bwithout it\b|can be set with the environment variable`)

// sentences finds a text of whole sentences.
var sentences = regexp.MustCompile("^[A-Z`](?s:.*)[.)]$")

// The docs are made of these descriptions.
func TestSchemas_descriptions(t *testing.T) {
	server := NewServer("test")()
	schemas, err := server.GetProviderSchema(t.Context(), &tfprotov6.GetProviderSchemaRequest{})
	if err != nil {
		t.Fatal(err)
	}
	checkDescriptions(t, "provider", schemas.Provider)
	for name, schema := range schemas.ResourceSchemas {
		checkDescriptions(t, "resource "+name, schema)
	}
	for name, schema := range schemas.DataSourceSchemas {
		checkDescriptions(t, "data source "+name, schema)
	}
}

func checkDescriptions(t *testing.T, where string, schema *tfprotov6.Schema) {
	t.Helper()
	if !sentences.MatchString(schema.Block.Description) {
		t.Errorf("%s: the description must be whole sentences: %q", where, schema.Block.Description)
	}
	checkAttributes(t, where, schema.Block.Attributes)
}

func checkAttributes(t *testing.T, where string, attributes []*tfprotov6.SchemaAttribute) {
	t.Helper()
	for _, attribute := range attributes {
		at := where + "." + attribute.Name
		if !sentences.MatchString(attribute.Description) {
			t.Errorf("%s: the description must be whole sentences: %q", at, attribute.Description)
		}
		if attribute.NestedType != nil {
			checkAttributes(t, at, attribute.NestedType.Attributes)
			continue // the defaults are those of its attributes
		}
		if attribute.Optional && !saysDefault.MatchString(attribute.Description) {
			t.Errorf("%s: the description must say what holds without a value (\"Defaults to ...\"): %q", at, attribute.Description)
		}
	}
}
