package provider

import (
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/mira-cluster/terraform-provider-mira/internal/acctest"
	"github.com/mira-cluster/terraform-provider-mira/internal/template"
)

// callFunction calls a function through the server, as the CLI does: without a configuration.
func callFunction(t *testing.T, name string, arguments ...tftypes.Value) (tftypes.Value, *tfprotov6.FunctionError) {
	t.Helper()
	server := NewServer("test")()
	schemas, err := server.GetFunctions(t.Context(), &tfprotov6.GetFunctionsRequest{})
	if err != nil || len(schemas.Diagnostics) > 0 {
		t.Fatal(err, schemas.Diagnostics)
	}
	definition := schemas.Functions[name]
	if definition == nil {
		t.Fatalf("there is no function %s", name)
	}
	request := &tfprotov6.CallFunctionRequest{Name: name}
	for i, argument := range arguments {
		parameter := definition.VariadicParameter
		if i < len(definition.Parameters) {
			parameter = definition.Parameters[i]
		}
		value, err := tfprotov6.NewDynamicValue(parameter.Type, argument)
		if err != nil {
			t.Fatal(err)
		}
		if argument.IsNull() && i%2 == 0 {
			value = tfprotov6.DynamicValue{} // as OpenTofu sends it
		}
		request.Arguments = append(request.Arguments, &value)
	}
	response, err := server.CallFunction(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	if response.Error != nil {
		return tftypes.Value{}, response.Error
	}
	result, err := response.Result.Unmarshal(definition.Return.Type)
	if err != nil {
		t.Fatal(err)
	}
	return result, nil
}

func textValue(text string) tftypes.Value { return tftypes.NewValue(tftypes.String, text) }

var textMap = tftypes.Map{ElementType: tftypes.String}

func textMapValue(texts map[string]string) tftypes.Value {
	values := make(map[string]tftypes.Value, len(texts))
	for name, text := range texts {
		values[name] = textValue(text)
	}
	return tftypes.NewValue(textMap, values)
}

func objectValue(fields map[string]tftypes.Value) tftypes.Value {
	fieldTypes := make(map[string]tftypes.Type, len(fields))
	for name, field := range fields {
		fieldTypes[name] = field.Type()
	}
	return tftypes.NewValue(tftypes.Object{AttributeTypes: fieldTypes}, fields)
}

func tupleValue(items ...tftypes.Value) tftypes.Value {
	itemTypes := make([]tftypes.Type, 0, len(items))
	for _, item := range items {
		itemTypes = append(itemTypes, item.Type())
	}
	return tftypes.NewValue(tftypes.Tuple{ElementTypes: itemTypes}, items)
}

// plainValue returns a value as JSON would decode it, but integers as int64.
func plainValue(t *testing.T, value tftypes.Value) any {
	t.Helper()
	if !value.IsKnown() || value.IsNull() {
		return nil
	}
	as := func(target any) {
		if err := value.As(target); err != nil {
			t.Fatal(err)
		}
	}
	switch of := value.Type().(type) {
	case tftypes.Object:
		var fields map[string]tftypes.Value
		as(&fields)
		all := make(map[string]any, len(fields))
		for name, field := range fields {
			all[name] = plainValue(t, field)
		}
		return all
	case tftypes.Tuple:
		var items []tftypes.Value
		as(&items)
		all := make([]any, 0, len(items))
		for _, item := range items {
			all = append(all, plainValue(t, item))
		}
		return all
	default:
		switch {
		case of.Is(tftypes.String):
			var text string
			as(&text)
			return text
		case of.Is(tftypes.Bool):
			var is bool
			as(&is)
			return is
		case of.Is(tftypes.Number):
			var number big.Float
			as(&number)
			if integer, accuracy := number.Int64(); accuracy == big.Exact {
				return integer
			}
			fraction, _ := number.Float64()
			return fraction
		}
	}
	t.Fatalf("a value of the type %s", value.Type())
	return nil
}

const smallTemplate = `apiVersion: v1
kind: Service
metadata:
  name: mira-%CLIENT_NAME%
  annotations:
    mail: %EMAIL_ADMIN%
    host: %CLIENT_NAME%.%CLUSTER_DOMAIN%
spec:
  ports:
  - port: %PORT%
    name: https
  selector: {}
  publishNotReadyAddresses: true
  finalizers: []
`

func renderArguments(text string, options ...tftypes.Value) []tftypes.Value {
	return append([]tftypes.Value{
		textValue(text), textValue("acme"), textValue("admin@acme.example"), textValue("mira.example"),
		textMapValue(map[string]string{"PORT": "8443"}),
	}, options...)
}

func TestRenderFunction(t *testing.T) {
	result, failed := callFunction(t, "render", renderArguments(smallTemplate)...)
	if failed != nil {
		t.Fatal(failed.Text)
	}
	want := map[string]any{"Service/mira-acme": map[string]any{
		"apiVersion": "v1",
		"kind":       "Service",
		"metadata": map[string]any{
			"name": "mira-acme", "namespace": "default",
			"annotations": map[string]any{"mail": "admin@acme.example", "host": "acme.mira.example"},
			"labels":      map[string]any{"app.kubernetes.io/managed-by": "terraform-provider-mira", "mira-cluster.io/client": "acme"},
		},
		"spec": map[string]any{
			"ports":                    []any{map[string]any{"port": int64(8443), "name": "https"}},
			"selector":                 map[string]any{},
			"publishNotReadyAddresses": true,
			"finalizers":               []any{},
		},
	}}
	if diff := cmp.Diff(want, plainValue(t, result)); diff != "" {
		t.Errorf("the objects (-want +got):\n%s", diff)
	}
}

// The template that the documentation shows renders without variables and options.
func TestRenderFunction_sample(t *testing.T) {
	result, failed := callFunction(t, "render", textValue(acctest.SampleTemplate(t)), textValue("acme"), textValue("admin@acme.example"),
		textValue("mira.example"), tftypes.NewValue(textMap, nil))
	if failed != nil {
		t.Fatal(failed.Text)
	}
	objects := plainValue(t, result).(map[string]any)
	pods := objects["StatefulSet/mira-acme"].(map[string]any)["spec"].(map[string]any)["template"].(map[string]any)
	container := pods["spec"].(map[string]any)["containers"].([]any)[0].(map[string]any)
	if got, want := container["image"], "mira:3.0"; got != want || len(objects) != 3 {
		t.Errorf("image %v of %d objects, want %s of 3", got, len(objects), want)
	}
}

func TestRenderFunction_options(t *testing.T) {
	secret := "apiVersion: v1\nkind: Secret\nmetadata:\n  name: mira-%CLIENT_NAME%\nstringData:\n  password: %PASSWORD%\n"
	options := objectValue(map[string]tftypes.Value{
		"allowed_kinds":    tupleValue(textValue("core/Secret")),
		"namespace":        textValue("mira"),
		"secret_variables": textMapValue(map[string]string{"PASSWORD": "12345678"}),
		"delete_data":      tftypes.NewValue(tftypes.Bool, nil),
	})
	result, failed := callFunction(t, "render", renderArguments(secret, options)...)
	if failed != nil {
		t.Fatal(failed.Text)
	}
	object := plainValue(t, result).(map[string]any)["Secret/mira-acme"].(map[string]any)
	if diff := cmp.Diff(map[string]any{"password": "MTIzNDU2Nzg="}, object["data"]); diff != "" {
		t.Errorf("the data, where a secret is text whatever it looks like (-want +got):\n%s", diff)
	}
	if got := object["metadata"].(map[string]any)["namespace"]; got != "mira" {
		t.Errorf("namespace %v, want mira", got)
	}
}

// Each fault is reported at its argument, in the words of a plan.
func TestRenderFunction_errors(t *testing.T) {
	option := func(name string, value tftypes.Value) []tftypes.Value {
		return renderArguments(smallTemplate, objectValue(map[string]tftypes.Value{name: value}))
	}
	with := func(position int, value tftypes.Value) []tftypes.Value {
		arguments := renderArguments(smallTemplate)
		arguments[position] = value
		return arguments
	}
	null, number := tftypes.NewValue(tftypes.String, nil), tftypes.NewValue(tftypes.Number, 12345678)
	edited := func(oldnew ...string) []tftypes.Value {
		return renderArguments(acctest.Edit(t, smallTemplate, oldnew...))
	}
	byName := edited("mira-%CLIENT_NAME%", "%CLIENT_NAME%")
	byName[1] = textValue("1a")
	tests := map[string]struct {
		arguments []tftypes.Value
		at        int64
		want      string
	}{
		"syntax":     {renderArguments("a: [\n"), 0, "line 1: not valid YAML"},
		"no objects": {renderArguments("# nothing\n"), 0, "line 1: the template holds no Kubernetes object"},
		"another kind": {edited("Service", "ConfigMap"), 0, "line 2: kind: a template may not hold objects of the kind core/ConfigMap " +
			`(allowed: core/Service, networking.k8s.io/Ingress, apps/StatefulSet); to allow it, add "core/ConfigMap" to allowed_kinds`},
		"another namespace": {edited("  name: mira", "  namespace: kube-system\n  name: mira"), 0,
			`line 4: metadata.namespace: the document is in namespace "kube-system", and the client's objects belong in "default": ` +
				"remove the field"},
		"several": {edited("%PORT%", "%PORTS%\n    protocol: %CASE%"), 0, "line 10: placeholder %PORTS% has no value: set variables.PORTS, " +
			"or write %PORT% if that is meant; defined are %CLIENT_NAME%, %CLUSTER_DOMAIN%, %EMAIL_ADMIN%, %PORT%; " +
			"if it is meant as text, set variables.PORTS to \"%PORTS%\"\nline 11: placeholder %CASE%"},
		"claims are deleted": {renderArguments(acctest.Edit(t, acctest.SampleTemplate(t), "  serviceName: mira\n",
			"  serviceName: mira\n  persistentVolumeClaimRetentionPolicy:\n    whenDeleted: Delete\n")), 0,
			"StatefulSet default/mira-acme asks Kubernetes to delete its claims " +
				"(spec.persistentVolumeClaimRetentionPolicy.whenDeleted is Delete). That would delete the client's data. " +
				"Remove the policy from the template, or set the option delete_data to true if the clients have it"},
		"name":              {with(1, textValue("Acme")), 1, "The name of a client must be an RFC 1123 label"},
		"name of a Service": {byName, 1, `line 4: metadata.name: the client name "1a" makes the Service name "1a", which is not legal: `},
		"email":             {with(2, textValue("Admin <admin@acme.example>")), 2, "it has more than the address itself"},
		"domain": {with(3, textValue("https://mira.example")), 3,
			`cluster_domain is "https://mira.example", which is an address and no domain name: write "mira.example"`},
		"no domain": {with(3, null), 3, "it is null, and line 7 of the template uses %CLUSTER_DOMAIN%"},
		"name of a variable": {with(4, textMapValue(map[string]string{"port": "1", "PORT": "1"})), 4,
			`"port" is not a placeholder name`},
		"variable is null": {with(4, tftypes.NewValue(textMap, map[string]tftypes.Value{"PORT": null})), 4, "Variable PORT is null"},
		"no such option": {option("namespaces", textValue("mira")), 5,
			`there is no option "namespaces"; there are allowed_kinds, delete_data, namespace, secret_variables`},
		"options are a text": {renderArguments(smallTemplate, textValue("mira")), 5, "must be an object with options; there are allowed_kinds"},
		"two options": {renderArguments(smallTemplate, objectValue(nil), objectValue(nil)), 6,
			"there is one object with all options; these are 2"},
		"namespace":           {option("namespace", textValue("Mira")), 5, `namespace: "Mira" cannot name a namespace`},
		"namespace is bool":   {option("namespace", tftypes.NewValue(tftypes.Bool, true)), 5, "namespace: must be a text"},
		"kinds are a text":    {option("allowed_kinds", textValue("core/Secret")), 5, "allowed_kinds: must be a list of texts"},
		"kind without group":  {option("allowed_kinds", tupleValue(textValue("Secret"))), 5, `allowed_kinds: "Secret" names no API group`},
		"delete_data is text": {option("delete_data", textValue("yes")), 5, "delete_data: must be true or false"},
		"secret is a number": {option("secret_variables", objectValue(map[string]tftypes.Value{"KEY": number})), 5,
			"secret_variables: the value of KEY must be a text: put it in quotes"},
		"secret is short": {option("secret_variables", textMapValue(map[string]string{"KEY": "abc"})), 5,
			"The value of secret variable KEY has 3 bytes"},
		"secret is null": {option("secret_variables", objectValue(map[string]tftypes.Value{"KEY": null})), 5, "Variable KEY is null"},
		"secret and variable": {option("secret_variables", textMapValue(map[string]string{"PORT": "12345678"})), 5,
			"secret_variables: PORT is in variables, too"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, failed := callFunction(t, "render", test.arguments...)
			switch {
			case failed == nil:
				t.Fatal("no error")
			case failed.FunctionArgument == nil || *failed.FunctionArgument != test.at || !strings.Contains(failed.Text, test.want) ||
				strings.HasSuffix(failed.Text, "."):
				t.Errorf("want %d: %s\ngot  %s: %s", test.at, test.want, show(failed.FunctionArgument), failed.Text)
			}
		})
	}
}

func show(position *int64) string {
	if position == nil {
		return "none"
	}
	return fmt.Sprint(*position)
}

// An error quotes no secret, whatever it quotes of the template.
func TestRenderFunction_errorsHaveNoSecrets(t *testing.T) {
	text := acctest.Edit(t, smallTemplate, "mira-%CLIENT_NAME%", "x-s3cr3t-x")
	_, failed := callFunction(t, "render", renderArguments(text, objectValue(map[string]tftypes.Value{
		"secret_variables": textMapValue(map[string]string{"TOKEN": "x-s3cr3t-x"}),
	}))...)
	if failed == nil || strings.Contains(failed.Text, "s3cr3t") || !strings.Contains(failed.Text, "metadata.name") {
		t.Errorf("the error %+v is another one, or has the secret", failed)
	}
}

func TestRevisionFunction(t *testing.T) {
	sample := acctest.SampleTemplate(t)
	parsed, err := template.Parse(sample)
	if err != nil {
		t.Fatal(err)
	}
	for what, text := range map[string]string{"the sample": sample, "with a comment": "# A comment.\n" + sample} {
		result, failed := callFunction(t, "revision", textValue(text))
		if failed != nil {
			t.Fatal(failed.Text)
		}
		if got := plainValue(t, result); got != parsed.Revision() {
			t.Errorf("%s has revision %v, want %s", what, got, parsed.Revision())
		}
	}
	_, failed := callFunction(t, "revision", textValue("a: 1\na: 2\n"))
	if failed == nil || show(failed.FunctionArgument) != "0" || !strings.HasPrefix(failed.Text, "line 2: ") {
		t.Errorf("the error of a template with a duplicate key: %+v", failed)
	}
}
