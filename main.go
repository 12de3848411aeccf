// Command terraform-provider-mira is a Terraform and OpenTofu provider that
// declares the clients of a MIRA fleet on Kubernetes.
package main

import (
	"context"
	"flag"
	"log"

	"github.com/hashicorp/terraform-plugin-framework/providerserver"

	"github.com/mira-cluster/terraform-provider-mira/internal/provider"
)

// version is set by the release build.
var version = "dev"

func main() {
	debug := flag.Bool("debug", false, "serve until interrupted, for a debugger; prints how to attach the CLI")
	flag.Parse()
	err := providerserver.Serve(context.Background(), provider.New(version), providerserver.ServeOpts{
		Address: "registry.terraform.io/mira-cluster/mira",
		Debug:   *debug,
	})
	if err != nil {
		log.Fatal(err.Error())
	}
}
