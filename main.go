// Command terraform-provider-mira is a Terraform and OpenTofu provider that
// declares the clients of a MIRA fleet on Kubernetes.
package main

import (
	"flag"
	"log"
	"os"
	"runtime/debug"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6/tf6server"

	"github.com/mira-cluster/terraform-provider-mira/internal/provider"
)

// version is set by the release build.
var version = "dev"

func main() {
	debug := flag.Bool("debug", false, "serve until interrupted, for a debugger; prints how to attach the CLI")
	flag.Parse()
	spare()
	var options []tf6server.ServeOpt
	if *debug {
		options = append(options, tf6server.WithManagedDebug())
	}
	if err := tf6server.Serve("registry.terraform.io/mira-cluster/mira", provider.NewServer(version), options...); err != nil {
		log.Fatal(err.Error())
	}
}

// collectAt is how many per cent of the live memory may become garbage before it is
// collected, and memoryGoal the size in bytes from which on it is collected more
// often than that: the plan of 5,000 clients is to take less than 1 GiB.
const (
	collectAt  = 400
	memoryGoal = 768 << 20
)

// spare leaves out work that nobody sees the result of, over a third of the plan of an
// unchanged fleet: the framework's trace log, which it writes for each attribute also
// where the CLI throws it away, and frequent garbage collections. The environment
// variables for both still decide where they are set.
func spare() {
	isLogging := false
	for _, name := range []string{"TF_LOG", "TF_LOG_PROVIDER", "TF_LOG_SDK", "TF_LOG_SDK_FRAMEWORK", "TF_LOG_SDK_PROTO"} {
		isLogging = isLogging || os.Getenv(name) != ""
	}
	if !isLogging {
		_ = os.Setenv("TF_LOG_SDK", "OFF") // cannot fail for such a name
	}
	if os.Getenv("GOGC") == "" && os.Getenv("GOMEMLIMIT") == "" {
		debug.SetGCPercent(collectAt)
		debug.SetMemoryLimit(memoryGoal)
	}
}
