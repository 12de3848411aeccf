package provider

import (
	"errors"
	"fmt"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
	"github.com/mira-cluster/terraform-provider-mira/internal/mira"
	"github.com/mira-cluster/terraform-provider-mira/internal/rollout"
)

// recreationDiagnostic reports why a StatefulSet cannot be recreated around its
// pods and claims, with the way out; nil for any other error.
func recreationDiagnostic(client string, err error) diag.Diagnostic {
	var (
		selector *mira.SelectorError
		lost     *mira.ClaimLostError
		shrinks  *mira.ClaimShrinksError
		growth   *mira.ClaimGrowthError
		failed   *kube.RecreationError
		changed  *kube.ChangedError
		stuck    *kube.GrowthError
		pods     *rollout.ReplaceError
	)
	switch {
	case errors.As(err, &selector):
		return diag.NewErrorDiagnostic("Selector Would Lose Pods", sentence(client+err.Error())+
			" Keep labels that they carry in the selector, or stop the client for the change and apply again:\n"+
			fmt.Sprintf("kubectl scale statefulset -n %s %s --replicas=0", selector.Ref.Namespace, selector.Ref.Name))
	case errors.As(err, &lost):
		return diag.NewErrorDiagnostic("Claim Would Be Lost", sentence(client+err.Error())+" Keep the claim template under its name. "+
			"To begin with other claims all the same, `terraform taint ADDRESS` and apply: that stops the client and creates it again. Its present claims stay.")
	case errors.As(err, &shrinks):
		least := shrinks.Least()
		return diag.NewErrorDiagnostic("Claim Cannot Shrink", sentence(client+err.Error())+
			fmt.Sprintf(" Kubernetes does not take storage back: ask for at least %s. Only a new claim can be smaller: "+
				"save the client's data, destroy it with `delete_data = true`, and apply again.", least.String()))
	case errors.As(err, &growth):
		return diag.NewErrorDiagnostic("Claim Cannot Grow", sentence(client+err.Error())+
			" The claim's StorageClass must have allowVolumeExpansion: true, and the Role must allow to patch persistentvolumeclaims. Otherwise take the new size back.")
	case errors.As(err, &failed):
		what := fmt.Sprintf("%s is gone. Its pods and claims are still there, and run on without it: nothing restarts them until the next apply creates it around them.", failed.Ref)
		switch {
		case failed.PutBack:
			what = fmt.Sprintf("%s was put back as it was before.", failed.Ref)
		case failed.Created:
			what = fmt.Sprintf("%s is there again as it should be, but what others owned on it is ours now: what the template does not have goes with the next change.", failed.Ref)
		}
		return diag.NewErrorDiagnostic("StatefulSet Not Recreated", sentence(client+err.Error())+" "+what)
	case errors.As(err, &changed):
		return diag.NewErrorDiagnostic("StatefulSet Changes Too Often", sentence(client+err.Error())+" Nothing was done to it. Wait until its rollout has settled, and apply again.")
	case errors.As(err, &stuck):
		return diag.NewErrorDiagnostic("Claim Has Not Grown", sentence(client+err.Error())+
			" The StatefulSet is applied, and the growth goes on in the cluster as far as its storage back end can:\n"+
			fmt.Sprintf("kubectl describe %s -n %s %s", strings.ToLower(stuck.Ref.Kind), stuck.Ref.Namespace, stuck.Ref.Name))
	case errors.As(err, &pods):
		names := make([]string, 0, len(pods.Remaining))
		for _, pod := range pods.Remaining {
			names = append(names, pod.Name)
		}
		return diag.NewErrorDiagnostic("Pods Not Replaced", sentence(client+err.Error())+
			" The StatefulSet is applied, but these pods lack a claim that it has now, and Kubernetes does not replace them by itself. Once the client serves, delete them one after the other:\n"+
			fmt.Sprintf("kubectl delete pod -n %s %s", pods.Namespace, strings.Join(names, " ")))
	}
	return nil
}
