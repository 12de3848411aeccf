// Command providerschema prints the provider's schemas in the JSON form of "terraform providers schema -json", which
// tfplugindocs reads with --providers-schema.
//
// It asks the provider itself instead of a CLI, because what a CLI prints depends on the CLI: Terraform before 1.12
// leaves resource identity out, and no OpenTofu knows list resources and actions. The generated documentation must be
// the same on every machine.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"

	"github.com/mira-cluster/terraform-provider-mira/internal/provider"
)

func main() {
	server := provider.NewServer("docs")()
	if err := run(context.Background(), server, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "providerschema:", err)
		os.Exit(1)
	}
}

// run asks the server for its schemas and writes them to w.
func run(ctx context.Context, server tfprotov6.ProviderServer, w io.Writer) error {
	schemas, err := server.GetProviderSchema(ctx, &tfprotov6.GetProviderSchemaRequest{})
	if err != nil {
		return fmt.Errorf("get the provider's schema: %w", err)
	}
	if err := diagnosticsError(schemas.Diagnostics); err != nil {
		return fmt.Errorf("get the provider's schema: %w", err)
	}
	identities, err := server.GetResourceIdentitySchemas(ctx, &tfprotov6.GetResourceIdentitySchemasRequest{})
	if err != nil {
		return fmt.Errorf("get the resource identity schemas: %w", err)
	}
	if err := diagnosticsError(identities.Diagnostics); err != nil {
		return fmt.Errorf("get the resource identity schemas: %w", err)
	}
	out, err := encode(schemas, identities)
	if err != nil {
		return err
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(out)
}

// diagnosticsError joins the errors that the provider reports about its own schema.
func diagnosticsError(diagnostics []*tfprotov6.Diagnostic) error {
	var errs []error
	for _, d := range diagnostics {
		if d.Severity == tfprotov6.DiagnosticSeverityError {
			errs = append(errs, fmt.Errorf("%s: %s", d.Summary, d.Detail))
		}
	}
	return errors.Join(errs...)
}
