package provider

import (
	"fmt"
	"strings"

	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
	"github.com/mira-cluster/terraform-provider-mira/internal/mira"
	"github.com/mira-cluster/terraform-provider-mira/internal/template"
)

// contentDetail lists everything that is wrong with the content of a template.
func contentDetail(s subject, _ error, invalid *mira.TemplateContentError) string {
	faults := template.Errors(invalid.Err)
	lines := make([]string, 0, len(faults))
	for _, fault := range faults {
		lines = append(lines, fault.Error())
	}
	return fmt.Sprintf("%s: this content gives no clients.\n\n%s", s, strings.Join(lines, "\n"))
}

func lostWorkloadDetail(_ subject, err error, _ *mira.LostWorkloadError) string {
	return sentence(err.Error()) + " Applying it would stop them. Nothing was changed. Put the workload back into the content; to take a " +
		"client down, destroy its resource."
}

func templateInUseDetail(_ subject, err error, _ *mira.TemplateInUseError) string {
	return sentence(err.Error()) + " Nothing was deleted: without it they cannot be planned. Destroy them first, or point them to another " +
		"template; if they have to change in the same run, let them refer to this resource. To delete the template all the same, apply " +
		"`force_destroy = true` first."
}

// templateRightAdvice says which rights a template needs beside those of clients.
func templateRightAdvice(e *mira.TemplateWriteError) string {
	return fmt.Sprintf(" To manage a template the account needs a Role of its own beside that for clients: "+
		"examples/rbac/template-writer.yaml, or the page of mira_template. To check:\n  kubectl auth can-i patch configmaps/%s -n %s",
		e.Source.ConfigMap, e.Source.Namespace)
}

func existingTemplateDetail(w mira.ExistingTemplateWarning) string {
	was := fmt.Sprintf("of revision %s", w.From)
	switch w.From {
	case "":
		was = "that is no client template"
	case w.To:
		was = fmt.Sprintf("of the same revision %s, so that it means the same", w.From)
	}
	return fmt.Sprintf("%s has a content already, %s. The apply replaces it by the content of the configuration, of revision %s. "+
		"To compare the two:\n  kubectl get configmap -n %s %s -o jsonpath='{.data.%s}'",
		w.Template, was, w.To, w.Template.Namespace, w.Template.ConfigMap, strings.ReplaceAll(w.Template.Key, ".", `\.`))
}

func isTemplateRightMissing(e *mira.TemplateWriteError) bool {
	return holds[*kube.MissingRightError](e)
}
