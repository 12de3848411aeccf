package main

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/mira-cluster/terraform-provider-mira/tools/bench/internal/command"
	"github.com/mira-cluster/terraform-provider-mira/tools/bench/internal/testbed"
)

//go:embed configs
var configs embed.FS

// variables are the values of configs/variables.tf.
type variables struct {
	Kubeconfig    string `json:"kubeconfig"`
	Namespace     string `json:"namespace"`
	ClusterDomain string `json:"cluster_domain"`
	Clients       int    `json:"clients"`
	Wait          bool   `json:"wait"`
}

// variablesFile is where CLIs look for values.
const variablesFile = "terraform.tfvars.json"

func (v variables) text() (string, error) {
	data, err := json.MarshalIndent(v, "", "  ")
	return string(data), err
}

// clientName returns the name of a client, as configs/variables.tf does.
func clientName(i int) string { return fmt.Sprintf("c%04d", i) }

// workspace creates the workspace of a fleet.
func (b *bench) workspace(ctx context.Context, values variables) (*command.Workspace, error) {
	files, err := configFiles("variables.tf")
	if err != nil {
		return nil, err
	}
	if files[variablesFile], err = values.text(); err != nil {
		return nil, err
	}
	files["requirements.tf"] = b.requirements()
	if b.options.isOwn() {
		own, err := configFiles("mira.tf")
		if err != nil {
			return nil, err
		}
		files["clients.tf"] = own["mira.tf"]
	} else {
		data, err := os.ReadFile(b.options.client)
		if err != nil {
			return nil, err
		}
		files["clients.tf"] = string(data)
		other, err := configFiles("documents.tf")
		if err != nil {
			return nil, err
		}
		files["documents.tf"] = other["documents.tf"]
		if files["documents.json"], err = documents(b.template, values.Namespace); err != nil {
			return nil, err
		}
	}
	return b.cli.Workspace(ctx, filepath.Join(b.directory, values.Namespace), files)
}

// requirements returns the required_providers block of the provider under test.
func (b *bench) requirements() string {
	name := b.options.source[strings.LastIndex(b.options.source, "/")+1:]
	return fmt.Sprintf("terraform {\n  required_providers {\n    %s = {\n      source  = %q\n      version = %q\n    }\n  }\n}\n",
		name, b.options.source, b.options.version)
}

// valueFile is the file with the value of each terraform_data of a floor.
const valueFile = "value.txt"

// change sets another value for the terraform_data of a workspace.
func change(w *command.Workspace, valueBytes int64) error {
	return w.Write(valueFile, strings.Repeat("y", int(valueBytes)))
}

// terraformData creates a workspace with as many terraform_data as there are clients,
// each with a value of valueBytes bytes, and their state. The state of a terraform_data
// has its value twice, as input and as output.
func (b *bench) terraformData(ctx context.Context, name string, values variables, valueBytes int64) (*command.Workspace, error) {
	files, err := configFiles("variables.tf", "floor.tf")
	if err != nil {
		return nil, err
	}
	one := values
	one.Clients = 1
	if files[variablesFile], err = one.text(); err != nil {
		return nil, err
	}
	files[valueFile] = strings.Repeat("x", int(valueBytes))
	w, err := b.cli.Workspace(ctx, filepath.Join(b.directory, values.Namespace+"-"+name), files)
	if err != nil {
		return nil, err
	}
	if _, err := w.Run(ctx, "apply", "-auto-approve"); err != nil {
		return nil, err
	}
	state, err := w.State()
	if err != nil {
		return nil, err
	}
	keys := make([]string, values.Clients)
	for i := range keys {
		keys[i] = clientName(i)
	}
	content, err := state.Multiply(keys)
	if err != nil {
		return nil, err
	}
	text, err := values.text()
	if err != nil {
		return nil, err
	}
	if err := w.Write(variablesFile, text); err != nil {
		return nil, err
	}
	return w, w.WriteState(content)
}

// documents returns the objects of a template in the form that configs/documents.tf reads.
func documents(template, namespace string) (string, error) {
	byKind, err := testbed.Documents(template, namespace)
	if err != nil {
		return "", err
	}
	data, err := json.Marshal(byKind)
	return string(data), err
}

func configFiles(names ...string) (map[string]string, error) {
	files := make(map[string]string)
	for _, name := range names {
		data, err := configs.ReadFile("configs/" + name)
		if err != nil {
			return nil, err
		}
		files[name] = string(data)
	}
	return files, nil
}
