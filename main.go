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
	waitForDebugger := flag.Bool("debug", false, "serve until interrupted, for a debugger; prints how to attach the CLI")
	flag.Parse()
	tuneRuntime()
	var options []tf6server.ServeOpt
	if *waitForDebugger {
		options = append(options, tf6server.WithManagedDebug())
	}
	if err := tf6server.Serve("registry.terraform.io/mira-cluster/mira", provider.NewServer(version), options...); err != nil {
		log.Fatal(err.Error())
	}
}

const (
	// gcPercent lets the heap grow to five times the live memory between collections. A provider process lives for one
	// plan or apply only.
	gcPercent = 400
	// memoryLimit is the size in bytes from which on memory is collected more often than gcPercent says. It keeps the
	// plan of 5,000 clients below 1 GiB.
	memoryLimit = 768 << 20
)

// tuneRuntime avoids work whose result nobody sees. It takes more than a third of the plan of an unchanged fleet: the
// logs of the framework, which has a line for each attribute, and of the provider, which are written even if the CLI
// discards them, and frequent garbage collections. The environment variables for both take precedence.
func tuneRuntime() {
	isLogging := false
	for _, name := range []string{
		"TF_LOG", "TF_LOG_PROVIDER", provider.LogLevelVariable, "TF_LOG_SDK", "TF_LOG_SDK_FRAMEWORK", "TF_LOG_SDK_PROTO",
	} {
		isLogging = isLogging || os.Getenv(name) != ""
	}
	if !isLogging {
		for _, name := range []string{provider.LogLevelVariable, "TF_LOG_SDK"} {
			_ = os.Setenv(name, "OFF") // cannot fail for such a name
		}
	}
	if os.Getenv("GOGC") == "" && os.Getenv("GOMEMLIMIT") == "" {
		debug.SetGCPercent(gcPercent)
		debug.SetMemoryLimit(memoryLimit)
	}
}
