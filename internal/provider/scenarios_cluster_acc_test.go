package provider

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/mira-cluster/terraform-provider-mira/internal/acctest"
)

// What the Jobs of the scenario run, with the account's rights and with the state in the
// cluster: an apply, nights without and with drift, a night on which the plan fails. Each
// leaves a summary. The manifests are accepted by the API server.
func TestAccScenario_inCluster(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	sample := acctest.SampleTemplate(t)
	s.PutTemplate(t, sample)
	c := acctest.CopyExample(t, s, "scenarios/in-cluster")
	useSandbox(t, s, c)
	for _, name := range []string{"rights.yaml", "jobs.yaml", "kustomization.yaml"} {
		text := strings.ReplaceAll(readExample(t, "scenarios", "in-cluster", name), "namespace: controller", "namespace: "+s.Namespace)
		writeFile(t, text, c.Directory(), name)
	}
	kubectl := acctest.NewKubectl(t, "")
	acctest.WantOutput(t, kubectl.Run(t, "apply", "--server-side", "-k", c.Directory()),
		"cronjob.batch/mira-drift serverside-applied", "cronjob.batch/mira-apply serverside-applied")
	for _, job := range []string{"mira-drift", "mira-apply"} {
		kubectl.Run(t, "create", "job", "-n", s.Namespace, "--from=cronjob/"+job, job+"-1", "--dry-run=server")
	}
	acctest.NewKubectl(t, s.Kubeconfig).Until(t, "auth", "can-i", "create", "leases.coordination.k8s.io", "-n", s.Namespace)

	j := &job{CLI: c, summary: filepath.Join(t.TempDir(), "termination-log")}
	c.Setenv("CONFIG", c.Directory())
	c.Setenv("SUMMARY", j.summary)
	c.Setenv("TF_CLI_ARGS_init", "-backend-config=in_cluster_config=false -backend-config=namespace="+s.Namespace+
		" -backend-config=config_path="+filepath.ToSlash(s.Kubeconfig))

	j.want(t, 64, "neither")
	if output := j.runOrSkip(t, "apply"); !strings.Contains(output, "2 added") {
		t.Fatalf("the first apply:\n%s", output)
	}
	j.wantSummary(t, "Apply complete! Resources: 2 added, 0 changed, 0 destroyed.")
	j.want(t, 0, "drift")
	j.wantSummary(t, "No changes.")
	s.Scale(t, "mira-acme", 0)
	acctest.WantOutput(t, j.want(t, 2, "drift"), `"spec.replicas"`)
	j.wantSummary(t, "Plan: 0 to add, 1 to change, 0 to destroy.", `# mira_client.this["acme"] will be updated in-place`)
	s.PutTemplate(t, sample+"\n{")
	j.want(t, 1, "drift")
	j.wantSummary(t, "Error: ")
	s.PutTemplate(t, sample)
	j.want(t, 0, "apply")
	j.want(t, 0, "drift")

	if !s.Exists(t, "Secret", "tfstate-default-mira") {
		t.Error("the state is not in the cluster")
	}
	holder := kubectl.Run(t, "get", "lease", "-n", s.Namespace, "lock-tfstate-default-mira", "-o", "jsonpath={.spec.holderIdentity}")
	if holder != "" {
		t.Errorf("the state is still locked by %s", holder)
	}

	// The CLI gets the signal that stops a pod, and decides on how the Job ends.
	c.Tool(t, "stopped", `trap 'echo in order; exit 7' TERM
[ "$1" = init ] && exit 0
kill -TERM $PPID
for _ in $(seq 600); do sleep 0.05; done
exit 9
`)
	c.Setenv("TERRAFORM", "stopped")
	acctest.WantOutput(t, j.want(t, 7, "apply"), "in order")
}

// job is run.sh of the scenario, as a pod runs it.
type job struct {
	*acctest.CLI
	summary string
}

// want runs a job that must end with an exit code, in a new folder, and returns its output.
func (j *job) want(t *testing.T, code int, name string) string {
	t.Helper()
	j.Setenv("WORK", t.TempDir())
	return j.WantScript(t, code, "sh", filepath.Join(j.Directory(), "run.sh"), name)
}

// runOrSkip runs a job that must succeed, unless the CLI lacks the backend: so does the
// Terraform that tools/localcluster builds.
func (j *job) runOrSkip(t *testing.T, name string) string {
	t.Helper()
	j.Setenv("WORK", t.TempDir())
	result := j.Script(t, "sh", filepath.Join(j.Directory(), "run.sh"), name)
	if strings.Contains(result.Output, "built without the state backend") {
		t.Skip("this Terraform was built without the state backend kubernetes")
	}
	if result.Code != 0 {
		t.Fatalf("%s: exit code %d\n%s", name, result.Code, result.Output)
	}
	return result.Output
}

// wantSummary fails the test unless the summary of the last job fits into a pod's status
// and has all lines.
func (j *job) wantSummary(t *testing.T, lines ...string) {
	t.Helper()
	summary, err := os.ReadFile(j.summary)
	if err != nil {
		t.Fatal(err)
	}
	if len(summary) > 4096 {
		t.Errorf("the summary has %d bytes", len(summary))
	}
	acctest.WantOutput(t, string(summary), lines...)
}

// The account's rights on the state are on the names that the configuration gives it.
func TestScenarioStateRights(t *testing.T) {
	t.Parallel()
	suffix := regexp.MustCompile(`secret_suffix\s*= "([^"]*)"`).FindStringSubmatch(readExample(t, "scenarios", "in-cluster", "main.tf"))
	if suffix == nil {
		t.Fatal("main.tf has no secret_suffix")
	}
	rights := readExample(t, "scenarios", "in-cluster", "rights.yaml")
	for _, name := range []string{"[tfstate-default-" + suffix[1] + "]", "[lock-tfstate-default-" + suffix[1] + "]"} {
		if !strings.Contains(rights, name) {
			t.Errorf("rights.yaml has no right on %s", name)
		}
	}
}
