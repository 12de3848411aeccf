package kube

import (
	"errors"
	"net/http"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mira-cluster/terraform-provider-mira/internal/connection"
)

// The texts are those of Kubernetes 1.36.
func TestRefusals(t *testing.T) {
	ref := NewRef(schema.GroupVersionKind{Group: "networking.k8s.io", Version: "v1", Kind: "Ingress"}, "default", "mira-acme")
	answer := func(code int32, reason metav1.StatusReason, message string) error {
		return &apierrors.StatusError{ErrStatus: metav1.Status{Code: code, Reason: reason, Message: message}}
	}
	forbidden := func(message string) error {
		return answer(http.StatusForbidden, metav1.StatusReasonForbidden, `ingresses.networking.k8s.io "mira-acme" is forbidden: `+message)
	}
	unfit := func(faults string) error {
		return answer(http.StatusInternalServerError, metav1.StatusReasonInternalError,
			"failed to create typed patch object (default/mira-acme; networking.k8s.io/v1, Kind=Ingress): "+faults)
	}
	for _, test := range []struct {
		name string
		err  error
		as   func(error) bool
		text string
	}{
		{
			"a missing right",
			forbidden(`User "system:serviceaccount:controller:controller" cannot patch resource "ingresses" ` +
				`in API group "networking.k8s.io" in the namespace "default"`),
			is[*MissingRightError],
			`Ingress default/mira-acme: user "system:serviceaccount:controller:controller" ` +
				`may not patch ingresses.networking.k8s.io in namespace "default"`,
		},
		{
			"a missing right of the core group, with the authorizer's reason",
			forbidden(`User "x" cannot get resource "configmaps" in API group "" in the namespace "controller": RBAC: role "y" not found`),
			is[*MissingRightError],
			`Ingress default/mira-acme: user "x" may not get configmaps in namespace "controller"`,
		},
		{
			"a quota of several resources",
			forbidden("exceeded quota: few, requested: count/ingresses.networking.k8s.io=1,services=1, " +
				"used: count/ingresses.networking.k8s.io=3,services=0, limited: count/ingresses.networking.k8s.io=3,services=0"),
			is[*QuotaError],
			`Ingress default/mira-acme exceeds quota "few": requested count/ingresses.networking.k8s.io=1,services=1, ` +
				`used count/ingresses.networking.k8s.io=3,services=0, limited to count/ingresses.networking.k8s.io=3,services=0`,
		},
		{
			"another 403 keeps its text",
			forbidden("status unknown for quota: few, resources: services"),
			is[*ForbiddenError],
			`Ingress default/mira-acme: the server refused to apply it: ingresses.networking.k8s.io "mira-acme" is forbidden: ` +
				`status unknown for quota: few, resources: services`,
		},
		{
			"an admission policy, whatever code it answers with",
			answer(http.StatusUnprocessableEntity, metav1.StatusReasonInvalid,
				`ingresses.networking.k8s.io "mira-acme" is forbidden: `+
					`ValidatingAdmissionPolicy 'tls' with binding 'tls-all' denied request: an Ingress needs TLS`),
			is[*DeniedError],
			`Ingress default/mira-acme: denied by ValidatingAdmissionPolicy "tls" (binding "tls-all"): an Ingress needs TLS`,
		},
		{
			"an admission policy that answers 403",
			forbidden(`ValidatingAdmissionPolicy 'tls' with binding 'tls-all' denied request: an Ingress needs TLS`),
			is[*DeniedError],
			`Ingress default/mira-acme: denied by ValidatingAdmissionPolicy "tls" (binding "tls-all"): an Ingress needs TLS`,
		},
		{
			"an admission webhook",
			answer(http.StatusBadRequest, "",
				`admission webhook "validate.nginx.ingress.kubernetes.io" denied the request: host "a" is already defined`),
			is[*DeniedError],
			`Ingress default/mira-acme: denied by admission webhook "validate.nginx.ingress.kubernetes.io": host "a" is already defined`,
		},
		{
			"one unknown field",
			unfit(`.spec.rules[0].http.paths[0].pathTypes: field not declared in schema`),
			isUnknownField,
			`Ingress default/mira-acme: the server would not apply it: spec.rules[0].http.paths[0].pathTypes: field not declared in schema`,
		},
		{
			"several unknown fields, in lists with keys",
			unfit("errors:\n  .spec.ports[port=80,protocol=\"TCP\"].transport: field not declared in schema\n" +
				"  .spec.containers[name=\"a: b]\"].imagePulPolicy: field not declared in schema"),
			isUnknownField,
			`Ingress default/mira-acme: the server would not apply it: spec.ports[80,TCP].transport: field not declared in schema; ` +
				`spec.containers[a: b]].imagePulPolicy: field not declared in schema`,
		},
		{
			"a type that does not fit is no unknown field",
			unfit(`.spec.replicas: expected numeric (int or float), got string`),
			func(err error) bool { return is[*RejectedError](err) && !isUnknownField(err) },
			`Ingress default/mira-acme: the server would not apply it: spec.replicas: expected numeric (int or float), got string`,
		},
		{
			"faults in a form that is not known keep their text",
			unfit(`something else`),
			func(err error) bool { return is[*RejectedError](err) && !isUnknownField(err) },
			`Ingress default/mira-acme: the server would not apply it: ` +
				`failed to create typed patch object (default/mira-acme; networking.k8s.io/v1, Kind=Ingress): something else`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := translator{&connection.Connection{}}.translate(verbApply, ref, test.err)
			if !test.as(err) {
				t.Errorf("the error has type %T", err)
			}
			if err.Error() != test.text {
				t.Errorf("got  %s\nwant %s", err, test.text)
			}
			if !errors.Is(err, test.err) {
				t.Error("the server's answer is lost")
			}
		})
	}
}

func is[E error](err error) bool {
	var target E
	return errors.As(err, &target)
}

func isUnknownField(err error) bool {
	var rejected *RejectedError
	return errors.As(err, &rejected) && rejected.IsUnknownField()
}
