package provider

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/mira-cluster/terraform-provider-mira/internal/acctest"
)

// pipeline is a copy of the quick start in a repository that has the files of examples/ci.
type pipeline struct {
	*acctest.CLI
	kubeconfig string
}

// read returns a file of the repository.
func (p *pipeline) read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(p.Directory(), name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The jobs of both pipelines, step by step, as the runners run them: a proposal gets a
// comment with what it does, also where the plan fails; a merge applies; a night with drift
// fails and says what has changed.
func TestAccExamples_pipelines(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	sample := acctest.SampleTemplate(t)
	s.PutTemplate(t, sample)
	p := &pipeline{CLI: acctest.CopyExample(t, s, "quickstart"), kubeconfig: s.Kubeconfig}
	useSandbox(t, s, p.CLI)
	if err := os.Mkdir(filepath.Join(p.Directory(), "ci"), 0o700); err != nil {
		t.Fatal(err)
	}
	writeFile(t, readExample(t, "ci", "summary.sh"), p.Directory(), "ci", "summary.sh")
	p.Setenv("KUBECONFIG", os.DevNull) // the pipeline connects by its own secret
	p.Tool(t, "gh", `printf '%s\n' "$GH_TOKEN" "$@" >gh.call && cp "${@: -1}" gh.body`)
	p.Tool(t, "apk", "")
	p.Tool(t, "curl", `{ cat header; printf '%s\n' "$@"; } >curl.call && cp summary.md curl.body`)

	if err := os.CopyFS(filepath.Join(p.Directory(), "template-test"), os.DirFS(example("scenarios", "template-test"))); err != nil {
		t.Fatal(err)
	}
	writeFile(t, sample+"\n{", p.Directory(), "client_template.yaml")
	p.gitlab(t, "template", 1)
	writeFile(t, sample, p.Directory(), "client_template.yaml")
	acctest.WantOutput(t, p.github(t, "template", 0).output, "Success!")

	p.github(t, "plan", 0)
	acctest.WantOutput(t, p.read(t, "gh.body"), "- Plan: 3 to add", `- mira_client.this["acme"] will be created`)
	acctest.WantOutput(t, p.read(t, "gh.call"), "t0ken pr comment https://github.example/pull/7",
		"--edit-last --create-if-none --body-file summary.md")
	acctest.WantOutput(t, p.github(t, "apply", 0).output, "3 added")
	acctest.WantOutput(t, p.github(t, "drift", 0).summary, "- No changes.")
	p.gitlab(t, "drift", 0)
	acctest.WantOutput(t, p.read(t, "summary.md"), "- No changes.")

	s.Scale(t, "mira-acme", 0)
	drift := []string{"### Drift of the fleet", "- Plan: 0 to add, 1 to change", `- mira_client.this["acme"] will be updated in-place`}
	acctest.WantOutput(t, p.github(t, "drift", 2).summary, drift...)
	p.gitlab(t, "drift", 2)
	acctest.WantOutput(t, p.read(t, "summary.md"), drift...)
	p.gitlab(t, "plan", 0)
	acctest.WantOutput(t, p.read(t, "curl.body"), "- Plan: 0 to add, 1 to change")
	acctest.WantOutput(t, p.read(t, "curl.call"), "PRIVATE-TOKEN:t0ken",
		"https://gitlab.example/api/v4/projects/42/merge_requests/7/notes")

	s.PutTemplate(t, sample+"\n{")
	p.github(t, "plan", 1)
	acctest.WantOutput(t, p.read(t, "gh.body"), "- Error: ")
	p.gitlab(t, "plan", 1)
	acctest.WantOutput(t, p.read(t, "curl.body"), "- Error: ")
	s.PutTemplate(t, sample)
	acctest.WantOutput(t, p.gitlab(t, "apply", 0), "1 changed")
}

// jobResult is what a job of GitHub leaves.
type jobResult struct{ output, summary string }

// expression is one of GitHub's.
var expression = regexp.MustCompile(`\$\{\{ *(.*?) *\}\}`)

// github runs a job of GitHub's pipeline, which must end with an exit code.
func (p *pipeline) github(t *testing.T, name string, want int) jobResult {
	t.Helper()
	kubeconfig, err := os.ReadFile(p.kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]string{
		"secrets.MIRA_KUBECONFIG": string(kubeconfig), "github.token": "t0ken",
		"github.event.pull_request.html_url": "https://github.example/pull/7",
	}
	var workflow struct {
		Env  map[string]string
		Jobs map[string]struct {
			Steps []struct {
				Name, If, Run string
				Env           map[string]string
			}
		}
	}
	if err := yaml.Unmarshal([]byte(readExample(t, "ci", "github", "mira.yml")), &workflow); err != nil {
		t.Fatal(err)
	}
	temporary := t.TempDir()
	files := map[string]string{"GITHUB_ENV": "env", "GITHUB_STEP_SUMMARY": "summary"}
	for variable, file := range files {
		writeFile(t, "", temporary, file)
		p.Setenv(variable, filepath.Join(temporary, file))
	}
	p.Setenv("RUNNER_TEMP", temporary)
	setAll := func(variables map[string]string) {
		for variable, value := range variables {
			p.Setenv(variable, expression.ReplaceAllStringFunc(value, func(text string) string {
				value, ok := known[expression.FindStringSubmatch(text)[1]]
				if !ok {
					t.Fatalf("job %s: the test does not know %s", name, text)
				}
				return value
			}))
		}
	}
	setAll(workflow.Env)
	var result jobResult
	code := 0
	for _, step := range workflow.Jobs[name].Steps {
		if step.Run == "" || code != 0 && !strings.Contains(step.If, "always()") {
			continue
		}
		if expression.MatchString(step.Run) {
			t.Errorf("step %q has an expression in its script: what it holds would run as code", step.Name)
		}
		setAll(step.Env)
		ended := p.Script(t, "bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step.Run)
		result.output += ended.Output
		if code == 0 {
			code = ended.Code
		}
		env, err := os.ReadFile(filepath.Join(temporary, "env"))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(env)) {
			variable, value, _ := strings.Cut(strings.TrimSpace(line), "=")
			p.Setenv(variable, value)
		}
	}
	if code != want || result.output == "" {
		t.Fatalf("job %s ended with %d, not %d:\n%s", name, code, want, result.output)
	}
	summary, err := os.ReadFile(filepath.Join(temporary, "summary"))
	if err != nil {
		t.Fatal(err)
	}
	result.summary = string(summary)
	return result
}

// gitlab runs a job of GitLab's pipeline, which must end with an exit code, and returns its
// output.
func (p *pipeline) gitlab(t *testing.T, name string, want int) string {
	t.Helper()
	var file map[string]any
	if err := yaml.Unmarshal([]byte(readExample(t, "ci", "gitlab", ".gitlab-ci.yml")), &file); err != nil {
		t.Fatal(err)
	}
	variables := map[string]string{
		"MIRA_KUBECONFIG": p.kubeconfig, "MIRA_COMMENT_TOKEN": "t0ken", "CI_API_V4_URL": "https://gitlab.example/api/v4",
		"CI_PROJECT_ID": "42", "CI_MERGE_REQUEST_IID": "7",
	}
	for variable, value := range file["variables"].(map[string]any) {
		variables[variable] = os.Expand(value.(string), func(name string) string { return variables[name] })
	}
	for variable, value := range variables {
		p.Setenv(variable, value)
	}
	var script strings.Builder
	job := file[name].(map[string]any)
	before, ok := job["before_script"]
	if !ok {
		before = file["default"].(map[string]any)["before_script"]
	}
	for _, lines := range []any{before, job["script"]} {
		for _, line := range lines.([]any) {
			script.WriteString(line.(string) + "\n")
		}
	}
	return p.WantScript(t, want, "sh", "-e", "-c", script.String())
}

// What a plan quotes cannot end the block that shows it, nor can a long plan make a comment
// that is refused.
func TestSummaryOfAPlan(t *testing.T) {
	t.Parallel()
	plan := strings.Repeat("  # mira_client.this[\"<b>\"] will be updated in-place\n      + \"motd\" = \"</pre><script>``` & \"\n", 2000) +
		"Plan: 0 to add, 2000 to change, 0 to destroy.\nWarning: Client Data Kept (Client \"acme\")\n"
	path := filepath.Join(t.TempDir(), "plan.txt")
	writeFile(t, plan, path)
	output, err := exec.Command("sh", example("ci", "summary.sh"), path, "The title").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	for _, want := range []string{
		"### The title\n\n- Plan: 0 to add, 2000 to change, 0 to destroy.\n\n- Warning: Client Data Kept",
		"- mira_client.this[\"&lt;b&gt;\"] will be updated in-place\n- and 1900 more\n", "&lt;/pre&gt;&lt;script&gt;``` &amp;",
		"The rest is in the log of the job.",
	} {
		if !strings.Contains(string(output), want) {
			t.Errorf("the summary does not have %q:\n%.3000s", want, output)
		}
	}
	if strings.Contains(string(output), "<script>") || len(output) > 60000 {
		t.Errorf("the summary has %d bytes, or a tag of the plan's", len(output))
	}
	output, err = exec.Command("sh", example("ci", "summary.sh")).CombinedOutput()
	if err == nil || !strings.Contains(string(output), "usage") {
		t.Errorf("without a plan: %v\n%s", err, output)
	}
}
