package provider

import (
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/mira-cluster/terraform-provider-mira/internal/mira"
)

// movedExample is the block that tells the CLI of a renamed resource.
const movedExample = "moved {\n  from = mira_client.OLD\n  to   = mira_client.NEW\n}"

// existingClientAdvice says how a client that is there comes into the state.
func existingClientAdvice(e *mira.ExistingClientError) string {
	id := e.Namespace + "/" + e.Name
	if !e.IsLabelled {
		return fmt.Sprintf(" Nothing was changed: the provider's `adopt` is %q, so that a create takes over nothing. To bring the client under "+
			"this state, import it:\n  terraform import ADDRESS %s", mira.AdoptNever, id)
	}
	return fmt.Sprintf(" Another state or another resource manages it, or an interrupted create has left it. Nothing was changed.\n\n"+
		"If another state manages the client, leave it there: two states would undo each other's changes, and a destroy of one takes down the "+
		"client of the other.\n"+
		"If no state has it, import it:\n  terraform import ADDRESS %s\n"+
		"If the resource was renamed or moved in this configuration, say so:\n%s\n"+
		"If this is the apply of a replacement with `create_before_destroy`, whose create finds the objects of the client that it replaces, "+
		"take the client out of the state before the import:\n  terraform state rm ADDRESS\n"+
		"To take over such clients without an import, and to allow such replacements, set `adopt = %q` in the provider's configuration.",
		id, movedExample, mira.AdoptAny)
}

// addNotInState reports that a create which has failed leaves an adopted client as it is,
// without a state. `held` is why its objects still carry the client's label; nil if they do
// not.
func addNotInState(diags *diag.Diagnostics, spec mira.Spec, held error) {
	detail := fmt.Sprintf("Client %q existed before this apply and stays as it is now, but it is not in the state. "+
		"The next apply adopts it again.", spec.Name)
	if held != nil {
		detail = fmt.Sprintf("Client %q existed before this apply and stays as it is now, but it is not in the state, and its objects "+
			"could not be given back for the next apply to adopt them: %v\n\nImport it, and apply again:\n  terraform import ADDRESS %s/%s",
			spec.Name, held, spec.Namespace, spec.Name)
	}
	diags.AddError("Adopted Client Not In State", detail)
}

func duplicateDetail(_ subject, err error, _ *mira.DuplicateClientError) string {
	return sentence(err.Error()) + " A client can be declared once only: give one of them another name or namespace, or remove it."
}

func renamedDetail(_ subject, err error, e *mira.RenamedClientError) string {
	return fmt.Sprintf("%s Both have the same objects. If the resource was renamed or moved in the configuration, say so, "+
		"and nothing is destroyed:\n%s\n"+
		"If a replacement with `create_before_destroy` has failed before, the state has a deposed object that is the client. "+
		"Take it out of the state, and import the client:\n  terraform state rm ADDRESS\n  terraform import ADDRESS %s/%s\n"+
		"To start over, destroy the client first, and create it in a second run.",
		sentence(err.Error()), movedExample, e.Namespace, e.Name)
}

func sharedDetail(_ subject, err error, _ *mira.SharedClientError) string {
	return sentence(err.Error()) + " Both have the same objects, so that destroying the one would stop the other. " +
		"Take the one that goes out of the state without destroying anything, by a `removed` block with `destroy = false` or by\n" +
		"  terraform state rm ADDRESS"
}

func anotherClusterDetail(_ subject, err error, e *mira.AnotherClusterError) string {
	return fmt.Sprintf("%s Nothing was changed. Check `kubernetes` in the provider's configuration, the KUBE_* variables, and the "+
		"kubeconfig with its context.\n\n"+
		"If the former cluster is gone for good and the client is to be created on this one, plan and apply with `-refresh=false`. "+
		"If its objects were restored here from a backup, take the client out of the state and import it again:\n"+
		"  terraform state rm ADDRESS\n  terraform import ADDRESS %s/%s", sentence(err.Error()), e.Namespace, e.Name)
}
