package provider

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mira-cluster/terraform-provider-mira/internal/acctest"
)

// Every example is applied by the CLI, with the provider as a binary and the documented
// rights (further scenarios in scenarios_*_test.go). The settings come from the Django controller's ConfigMap. The test checks what
// each example promises.
func TestAccExamples(t *testing.T) {
	s := acctest.NewFleet(t)
	sample := acctest.SampleTemplate(t)

	t.Run("quickstart", func(t *testing.T) {
		c := acctest.NewExampleCLI(t, s.Sandbox, "quickstart")
		acctest.WantOutput(t, c.Apply(t), "3 added, 0 changed, 0 destroyed", `"acme" = "https://acme.`+acctest.Domain+`"`)
		acctest.WantOutput(t, c.Destroy(t), "Client Data Kept", "mira-data-mira-acme-0")
		s.DeleteClaims(t)
	})

	t.Run("provider and resource", func(t *testing.T) {
		c := acctest.NewExampleCLI(t, s.Sandbox, "provider/provider.tf", "resources/mira_client/resource.tf")
		acctest.WantOutput(t, c.Apply(t), "2 added", "https://acme."+acctest.Domain)
		c.Destroy(t)
		if diff := cmp.Diff([]string{"mira-data-mira-acme-0"}, s.Names(t, "PersistentVolumeClaim")); diff != "" {
			t.Errorf("claims after the destroy, of which that of the trial has delete_data (-want +got):\n%s", diff)
		}
		s.DeleteClaims(t)
	})

	t.Run("import by id", func(t *testing.T) {
		djangoClient(t, s.Sandbox, sample, "acme", "admin@acme.example")
		c := acctest.NewExampleCLI(t, s.Sandbox, "provider/provider.tf", "resources/mira_client/resource.tf",
			"resources/mira_client/import-by-string-id.tf")
		acctest.WantOutput(t, c.Apply(t), "1 imported, 1 added, 1 changed, 0 destroyed")
		c.Destroy(t)
		s.DeleteClaims(t)
	})

	t.Run("import by identity", func(t *testing.T) {
		acctest.RequireCLI(t, "1.12.0") // the first with resource identity
		djangoClient(t, s.Sandbox, sample, "acme", "admin@acme.example")
		c := acctest.NewExampleCLI(t, s.Sandbox, "provider/provider.tf", "resources/mira_client/resource.tf",
			"resources/mira_client/import-by-identity.tf")
		acctest.WantOutput(t, c.Apply(t), "1 imported, 1 added, 1 changed, 0 destroyed")
		c.Destroy(t)
		s.DeleteClaims(t)
	})

	t.Run("import command", func(t *testing.T) {
		djangoClient(t, s.Sandbox, sample, "acme", "admin@acme.example")
		c := acctest.NewExampleCLI(t, s.Sandbox, "provider/provider.tf", "resources/mira_client/resource.tf")
		script, err := os.ReadFile(filepath.Join(acctest.Root(), "examples", "resources", "mira_client", "import.sh"))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(script)) {
			arguments := strings.Fields(line)
			if len(arguments) < 2 || arguments[0] != "terraform" {
				continue
			}
			id := arguments[len(arguments)-1]
			c.Run(t, "import", "mira_client.acme", id)
			c.Run(t, "state", "rm", "mira_client.acme")
		}
		c.Apply(t)
		c.Destroy(t)
		s.DeleteClaims(t)
	})

	t.Run("template", func(t *testing.T) {
		s.GrantTemplates(t)
		template := []string{"provider/provider.tf", "resources/mira_template/resource.tf", "client-template/client_template.yaml"}
		c := acctest.NewExampleCLI(t, s.Sandbox, template...)
		acctest.WantOutput(t, c.Apply(t), "2 added", "EMAIL_ADMIN")
		c.Run(t, "state", "rm", "mira_template.this")
		c.Run(t, "import", "mira_template.this", "controller/templates-yaml/client_template.yaml")
		c.Destroy(t)
		s.PutTemplates(t, map[string]string{"client_template.yaml": sample})
		c = acctest.NewExampleCLI(t, s.Sandbox, append(template, "resources/mira_template/import-by-string-id.tf")...)
		acctest.WantOutput(t, c.Run(t, "plan"), "1 to import, 1 to add, 0 to change")
		c = acctest.NewExampleCLI(t, s.Sandbox, "provider/provider.tf", "data-sources/mira_template/data-source.tf")
		acctest.WantOutput(t, c.Apply(t), "CLUSTER_DOMAIN")
		s.DeleteClaims(t)
	})

	t.Run("template in HCL", func(t *testing.T) {
		s.GrantTemplates(t)
		djangoClient(t, s.Sandbox, sample, "acme", "admin@acme.example")
		djangoClient(t, s.Sandbox, sample, "globex", "it@globex.example")
		pods := s.UIDs(t, "Pod")
		c := acctest.NewExampleCLI(t, s.Sandbox, "scenarios/template-in-hcl", "client-template/client_template.yaml")
		acctest.WantOutput(t, c.Apply(t), "3 added, 0 changed, 0 destroyed")
		if err := samePods(t, s.Sandbox, pods); err != nil {
			t.Error(err)
		}
		next := acctest.Edit(t, sample, "mira:3.0", "mira:3.1")
		if err := os.WriteFile(filepath.Join(c.Directory(), "client_template.yaml"), []byte(next), 0o600); err != nil {
			t.Fatal(err)
		}
		acctest.WantOutput(t, c.Apply(t), "0 added, 3 changed, 0 destroyed", "mira:3.0", "mira:3.1")
		for _, name := range []string{"acme", "globex"} {
			if err := s.CheckPodImage(t, "mira-"+name+"-0", "mira:3.1"); err != nil {
				t.Error(err)
			}
		}
		c.Destroy(t)
		s.PutTemplates(t, map[string]string{"client_template.yaml": sample})
		s.DeleteClaims(t)
	})

	t.Run("secret per client", func(t *testing.T) {
		acctest.RequireCLI(t, "1.11.0") // the first with write-only attributes
		s.PutTemplates(t, map[string]string{"client_template.yaml": acctest.Edit(t, sample, "        - name: DATABASE_PATH",
			"        - name: DATABASE_PASSWORD\n          value: '%DATABASE_PASSWORD%'\n        - name: DATABASE_PATH")})
		c := acctest.NewExampleCLI(t, s.Sandbox, "scenarios/secret-per-client")
		c.Setenv("TF_VAR_database_passwords", `{"acme": "acme-s3cr3t", "globex": "globex-s3cr3t"}`)
		output := c.Apply(t)
		acctest.WantOutput(t, output, "2 added", `.env[DATABASE_PASSWORD].value"`, `"sha256:`)
		state, err := os.ReadFile(filepath.Join(c.Directory(), "terraform.tfstate"))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(output+string(state), "s3cr3t") {
			t.Errorf("the output or the state has a password:\n%s\n%s", output, state)
		}
		c.Destroy(t)
		s.PutTemplates(t, map[string]string{"client_template.yaml": sample})
		s.DeleteClaims(t)
	})

	t.Run("functions", func(t *testing.T) {
		c := acctest.NewExampleCLI(t, s.Sandbox, "client-template", "provider/provider.tf", "functions/render/function.tf")
		acctest.WantOutput(t, c.Apply(t), `address = "https://acme.mira.example"`, `"mira" = "mira:3.0"`)
		c = acctest.NewExampleCLI(t, s.Sandbox, "client-template", "provider/provider.tf", "functions/revision/function.tf")
		acctest.WantOutput(t, c.Apply(t), "1 added")
		c.Destroy(t)
		s.DeleteClaims(t)
	})

	t.Run("template test", func(t *testing.T) {
		c := acctest.NewExampleCLI(t, s.Sandbox, "client-template", "scenarios/template-test")
		acctest.WantOutput(t, c.Run(t, "test"), "4 passed, 0 failed")
		edit := func(oldnew ...string) {
			t.Helper()
			edited := []byte(acctest.Edit(t, sample, oldnew...))
			if err := os.WriteFile(filepath.Join(c.Directory(), "client_template.yaml"), edited, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		edit("            memory: 128Mi\n", "            cpu: 1\n")
		acctest.WantOutput(t, c.Fail(t, "test"), "A container has no limit of its memory.", "3 passed, 1 failed")
		edit("host: %CLIENT_NAME%", "host: %CLIENT%")
		acctest.WantOutput(t, c.Fail(t, "test"), "0 passed",
			`Invalid value for "template" parameter: line 33: placeholder %CLIENT% has no value: set variables.CLIENT`)
	})

	t.Run("canary template", func(t *testing.T) {
		next := acctest.Edit(t, sample, "mira:3.0", "mira:3.1")
		c := acctest.NewExampleCLI(t, s.Sandbox, "scenarios/canary-template")
		c.Apply(t)
		s.PutTemplates(t, map[string]string{"client_template.yaml": sample, "client_template_next.yaml": next})
		acctest.WantOutput(t, c.Apply(t, "-var", "candidate=client_template_next.yaml"), "0 added, 1 changed")
		s.PutTemplates(t, map[string]string{"client_template.yaml": next})
		acctest.WantOutput(t, c.Apply(t), "0 added, 3 changed")
		for _, name := range []string{"acme", "globex", "initech"} {
			if err := s.CheckPodImage(t, "mira-"+name+"-0", "mira:3.1"); err != nil {
				t.Error(err)
			}
		}
		c.Destroy(t)
		s.PutTemplates(t, map[string]string{"client_template.yaml": sample})
		s.DeleteClaims(t)
	})

	t.Run("ship a new version", func(t *testing.T) {
		c := acctest.NewExampleCLI(t, s.Sandbox, "scenarios/ship-new-version")
		c.Apply(t)
		s.PutTemplates(t, map[string]string{"client_template.yaml": acctest.Edit(t, sample, "mira:3.0", "mira-badpull:3.1")})
		output := c.Fail(t, "apply", "-auto-approve")
		acctest.WantOutput(t, output, "Rollout Failed And Was Rolled Back", "mira-badpull:3.1", "The former revision serves again",
			"This client is untouched")
		s.PutTemplates(t, map[string]string{"client_template.yaml": acctest.Edit(t, sample, "mira:3.0", "mira:3.1")})
		acctest.WantOutput(t, c.Apply(t), "0 added, 3 changed")
		c.Destroy(t)
		s.PutTemplates(t, map[string]string{"client_template.yaml": sample})
		s.DeleteClaims(t)
	})

	t.Run("restart", func(t *testing.T) { restartExample(t, s) })

	t.Run("query", func(t *testing.T) { queryExample(t, s, sample) })

	t.Run("import fleet", func(t *testing.T) { importFleetExample(t, s, sample) })

	t.Run("existing clients", func(t *testing.T) {
		djangoClient(t, s.Sandbox, sample, "acme", "admin@acme.example")
		djangoClient(t, s.Sandbox, sample, "globex", "it@globex.example")
		pods := s.UIDs(t, "Pod")
		c := acctest.NewExampleCLI(t, s.Sandbox, "scenarios/existing-clients-import")
		acctest.WantOutput(t, c.Apply(t), "2 imported, 0 added, 2 changed, 0 destroyed")
		if err := samePods(t, s.Sandbox, pods); err != nil {
			t.Error(err)
		}
		c.Destroy(t)
		s.DeleteClaims(t)
	})

	t.Run("data sources and fleet page", func(t *testing.T) {
		oddFleet(t, s.Sandbox, sample)
		c := acctest.NewExampleCLI(t, s.Sandbox, "provider/provider.tf", "data-sources/mira_clients/data-source.tf")
		acctest.WantOutput(t, c.Apply(t), "mira-data-mira-gone-0 (5Gi)", "Service/mira-half",
			"StatefulSet/mira-old spec.template.spec.containers[mira].image")
		c = acctest.NewExampleCLI(t, s.Sandbox, "scenarios/fleet-page", "data-sources/mira_client/data-source.tf")
		acctest.WantOutput(t, c.Apply(t), "mira-data-mira-acme-0")
		checkFleetPage(t, c.Run(t, "output", "-raw", "fleet_html"))
		table := c.Run(t, "output", "-raw", "fleet_markdown")
		acctest.WantOutput(t, table, "| [acme](https://acme."+acctest.Domain+") | ready | 1/1 | caddy:2.8, mira:3.0 | current | no |",
			"outdated: Service/mira-half is missing, StatefulSet/mira-half is missing", "| failing: pod mira-broken-0")
		for _, kind := range []string{"Service", "Ingress", "StatefulSet"} {
			for _, name := range s.Names(t, kind) {
				if strings.HasPrefix(name, "mira-") {
					s.Delete(t, kind, name)
				}
			}
		}
		s.DeleteClaims(t)
	})
}

// checkFleetPage checks the page of examples/scenarios/fleet-page for the fleet of [oddFleet]: it is
// well-formed, says of each client how it is, and has no markup that comes from the cluster.
func checkFleetPage(t *testing.T, page string) {
	t.Helper()
	decoder := xml.NewDecoder(strings.NewReader(page))
	var path []string
	rows, text := map[string]string{}, ""
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("the page is not well-formed: %v\n%s", err, page)
		}
		switch token := token.(type) {
		case xml.StartElement:
			path = append(path, token.Name.Local)
			if token.Name.Local == "tr" {
				text = ""
				for _, attribute := range token.Attr {
					text += attribute.Value + ":"
				}
			}
			if token.Name.Local == "script" || token.Name.Local == "b" && !slices.Contains(path, "ul") {
				t.Errorf("the page has an element %s in %v", token.Name.Local, path)
			}
		case xml.CharData:
			text += " " + string(token)
		case xml.EndElement:
			if token.Name.Local == "tr" && slices.Contains(path, "tbody") {
				fields := strings.Fields(text)
				rows[fields[1]] = strings.Join(fields, " ")
			}
			path = path[:len(path)-1]
		}
	}
	for client, want := range map[string][]string{
		"acme":                  {"ready: acme admin@acme.example ready 1/1", "current"},
		"old":                   {"ready: old", "outdated", "StatefulSet/mira-old spec.template.spec.containers[mira].image"},
		"half":                  {"absent: half", "outdated", "StatefulSet/mira-half is missing"},
		"stopped":               {"stopped: stopped", "0/0"},
		"broken":                {"failing: broken <b>&\"|@broken.example failing", "mira-badpull:3.0"},
		"mira-data-mira-gone-0": {"gone 5Gi Bound"},
	} {
		for _, part := range want {
			if !strings.Contains(rows[client], part) {
				t.Errorf("the row of %s lacks %q: %s", client, part, rows[client])
			}
		}
	}
	for _, loaded := range []string{"src=", "@import", "url(", "<link"} {
		if strings.Contains(page, loaded) {
			t.Errorf("the page needs the network: it has %s", loaded)
		}
	}
}
