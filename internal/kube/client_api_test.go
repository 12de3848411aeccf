package kube_test

import (
	"encoding/base64"
	"errors"
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mira-cluster/terraform-provider-mira/internal/acctest"
	"github.com/mira-cluster/terraform-provider-mira/internal/connection"
	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
	"github.com/mira-cluster/terraform-provider-mira/internal/managedfields"
)

// newClient works in a sandbox with the documented rights.
func newClient(t *testing.T, options kube.Options) (*kube.Client, *acctest.Sandbox) {
	t.Helper()
	s := acctest.NewSandbox(t)
	conn, err := connection.Connect(connection.Settings{ConfigPath: s.Kubeconfig}, connection.SystemEnvironment(), "test")
	if err != nil {
		t.Fatal(err)
	}
	client, err := kube.New(conn, options)
	if err != nil {
		t.Fatal(err)
	}
	return client, s
}

// service is one with a port; `spec` goes before its defaults.
func service(namespace string, spec map[string]any) *unstructured.Unstructured {
	full := map[string]any{"ports": []any{map[string]any{"name": "http", "port": int64(80)}}}
	maps.Copy(full, spec)
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Service", "metadata": map[string]any{"name": "mira-acme", "namespace": namespace}, "spec": full,
	}}
}

func statefulSet(namespace, serviceName string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": map[string]any{"name": "mira-acme", "namespace": namespace},
		"spec": map[string]any{
			"replicas": int64(0), "serviceName": serviceName,
			"selector": map[string]any{"matchLabels": map[string]any{"app": "mira"}},
			"template": map[string]any{
				"metadata": map[string]any{"labels": map[string]any{"app": "mira"}},
				"spec":     map[string]any{"containers": []any{map[string]any{"name": "mira", "image": "mira:3.0"}}},
			},
		},
	}}
}

func TestClientAPI_dryRunWritesNothing(t *testing.T) {
	t.Parallel()
	client, s := newClient(t, kube.Options{Force: true})
	result, err := client.DryRun(t.Context(), service(s.Namespace, nil), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := managedfields.Fields{"spec.ports[80,TCP].name": "http"}
	if diff := cmp.Diff(want, client.Manager().Owned(result)); diff != "" {
		t.Errorf("owned fields of the dry run (-want +got):\n%s", diff)
	}
	live, err := client.Get(t.Context(), kube.RefOf(result))
	if live != nil || err != nil {
		t.Errorf("after the dry run there is %v (error %v), want nothing", live, err)
	}
}

func TestClientAPI_errorsHaveTypes(t *testing.T) {
	t.Parallel()
	client, s := newClient(t, kube.Options{Force: true})
	if _, err := client.Apply(t.Context(), statefulSet(s.Namespace, "mira")); err != nil {
		t.Fatal(err)
	}

	t.Run("a value that is not valid", func(t *testing.T) {
		_, err := client.DryRun(t.Context(), service(s.Namespace, map[string]any{"type": "Nonsense"}), nil)
		wantRejected(t, err, "spec.type")
	})
	t.Run("a field that does not exist", func(t *testing.T) {
		_, err := client.DryRun(t.Context(), service(s.Namespace, map[string]any{"nonsense": "x"}), nil)
		wantRejected(t, err, "spec.nonsense")
	})
	t.Run("a field that is immutable", func(t *testing.T) {
		other := statefulSet(s.Namespace, "other")
		_, err := client.DryRun(t.Context(), other, nil)
		wantImmutable(t, client, other, s.Get(t, "StatefulSet", "mira-acme"), err, true)
	})
	t.Run("a bad value in a field that is immutable", func(t *testing.T) {
		bad := statefulSet(s.Namespace, "Not_A_Name")
		_, err := client.DryRun(t.Context(), bad, nil)
		wantImmutable(t, client, bad, s.Get(t, "StatefulSet", "mira-acme"), err, false)
	})
	t.Run("a namespace that the account has no rights in", func(t *testing.T) {
		_, err := client.DryRun(t.Context(), service(s.Namespace+"-other", nil), nil)
		if _, ok := errors.AsType[*kube.ForbiddenError](err); !ok {
			t.Errorf("error %v, want a ForbiddenError", err)
		}
	})
	t.Run("a namespace that does not exist", func(t *testing.T) {
		s.Rights.GrantEverywhere(t)
		_, err := client.DryRun(t.Context(), service(s.Namespace+"-other", nil), nil)
		if _, ok := errors.AsType[*kube.NamespaceNotFoundError](err); !ok {
			t.Errorf("error %v, want a NamespaceNotFoundError", err)
		}
	})
	t.Run("a ConfigMap and a key that do not exist", func(t *testing.T) {
		var noConfigMap *kube.NotFoundError
		if _, err := kube.NewConfigMaps(client).Key(t.Context(), s.Namespace, "templates-yaml", "x"); !errors.As(err, &noConfigMap) {
			t.Errorf("error %v, want a NotFoundError", err)
		}
		s.PutConfigMap(t, "templates-yaml", map[string]string{"a": "1", "b": "2"})
		var noKey *kube.MissingKeyError
		_, err := kube.NewConfigMaps(client).Key(t.Context(), s.Namespace, "templates-yaml", "x")
		if !errors.As(err, &noKey) || !cmp.Equal(noKey.Keys, []string{"a", "b"}) {
			t.Errorf("error %v, want a MissingKeyError with the keys that there are", err)
		}
	})
	t.Run("a key that holds no text", func(t *testing.T) {
		for _, test := range []struct {
			content  []byte
			encoding string
		}{
			{[]byte("\xff\xfea\x00"), "UTF-16"},
			{[]byte("\xfe\xff\x00a"), "UTF-16"},
			{[]byte("a\x00:\x00\xe9\x00"), "UTF-16"},
			{[]byte("caf\xe9"), "ISO-8859-1"},
			{[]byte("\x80\x02\x00\xff"), ""},
		} {
			s.Apply(t, &unstructured.Unstructured{Object: map[string]any{
				"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "templates-yaml"},
				"binaryData": map[string]any{"x": base64.StdEncoding.EncodeToString(test.content)},
			}}, "test")
			_, err := kube.NewConfigMaps(client).Key(t.Context(), s.Namespace, "templates-yaml", "x")
			if binary, ok := errors.AsType[*kube.BinaryKeyError](err); !ok || binary.Encoding != test.encoding {
				t.Errorf("%q: error %v, want a BinaryKeyError with encoding %q", test.content, err, test.encoding)
			}
		}
		_, err := kube.NewConfigMaps(client).Key(t.Context(), s.Namespace, "templates-yaml", "y")
		if noKey, ok := errors.AsType[*kube.MissingKeyError](err); !ok || !cmp.Equal(noKey.Keys, []string{"x"}) {
			t.Errorf("error %v, want a MissingKeyError with the key that there is", err)
		}
	})
	t.Run("a kind that lives in no namespace", func(t *testing.T) {
		_, err := client.Get(t.Context(), kube.NewRef(schema.GroupVersionKind{Version: "v1", Kind: "Node"}, s.Namespace, "x"))
		if _, ok := errors.AsType[*kube.KindError](err); !ok {
			t.Errorf("error %v, want a KindError", err)
		}
	})
	t.Run("a kind that the server does not serve", func(t *testing.T) {
		thing := schema.GroupVersionKind{Group: "example.com", Version: "v1", Kind: "Thing"}
		_, err := client.Get(t.Context(), kube.NewRef(thing, s.Namespace, "x"))
		if _, ok := errors.AsType[*kube.KindError](err); !ok {
			t.Errorf("error %v, want a KindError", err)
		}
	})
}

// wantImmutable checks that a refused change of serviceName is known as one that a new object
// would be accepted with, or that it is not. Versions of the server word the refusal in
// different ways.
func wantImmutable(t *testing.T, client *kube.Client, object, live *unstructured.Unstructured, refusal error, want bool) {
	t.Helper()
	rejected, ok := errors.AsType[*kube.RejectedError](refusal)
	if !ok || !rejected.IsInvalid() {
		t.Fatalf("error %v, want a RejectedError of an invalid object", refusal)
	}
	probe, err := client.Probe(object, live)
	if err != nil {
		t.Fatal(err)
	}
	if _, got := errors.AsType[*kube.ImmutableFieldError](probe.Explain(t.Context(), refusal)); got != want {
		t.Errorf("an immutable field is at fault: %t, want %t (%v)", got, want, refusal)
	}
	recreation, err := probe.Recreation(t.Context(), nil)
	switch {
	case err != nil:
		t.Error(err)
	case !want && recreation != nil:
		t.Errorf("fields %v count as immutable", recreation.Fields)
	case want && (recreation == nil || !cmp.Equal(recreation.Fields, []string{"spec.serviceName"})):
		t.Errorf("the recreation is %v, want one for spec.serviceName", recreation)
	}
}

func wantRejected(t *testing.T, err error, field string) {
	t.Helper()
	var rejected *kube.RejectedError
	if !errors.As(err, &rejected) {
		t.Fatalf("error %v, want a RejectedError", err)
	}
	if rejected.Causes[0].Field != field {
		t.Errorf("the field at fault is %q, want %q (%v)", rejected.Causes[0].Field, field, err)
	}
}

func TestClientAPI_conflictsNameManagerAndField(t *testing.T) {
	t.Parallel()
	client, s := newClient(t, kube.Options{Force: false})
	s.Apply(t, service(s.Namespace, map[string]any{"sessionAffinity": "ClientIP"}), "somebody")
	_, err := client.DryRun(t.Context(), service(s.Namespace, map[string]any{"sessionAffinity": "None"}), nil)
	var conflict *kube.ConflictError
	if !errors.As(err, &conflict) {
		t.Fatalf("error %v, want a ConflictError", err)
	}
	want := []managedfields.FieldOwner{{Field: "spec.sessionAffinity", Manager: "somebody"}}
	if diff := cmp.Diff(want, conflict.Fields); diff != "" {
		t.Errorf("conflicts (-want +got):\n%s", diff)
	}
}

func TestClientAPI_deleteKeepsAnObjectThatTookTheName(t *testing.T) {
	t.Parallel()
	client, s := newClient(t, kube.Options{Force: true})
	first, err := client.Apply(t.Context(), service(s.Namespace, nil))
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Delete(t.Context(), kube.RefOf(first)); err != nil {
		t.Fatal(err)
	}
	second, err := client.Apply(t.Context(), service(s.Namespace, nil))
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Delete(t.Context(), kube.RefOf(first)); err != nil {
		t.Errorf("deleting what is gone: %v", err)
	}
	if s.Get(t, "Service", "mira-acme").GetUID() != second.GetUID() {
		t.Error("the object that took the name was deleted")
	}
	if err := client.Delete(t.Context(), kube.RefOf(second)); err != nil {
		t.Fatal(err)
	}
	if err := client.Delete(t.Context(), kube.RefOf(second)); err != nil {
		t.Errorf("deleting what is gone: %v", err)
	}
}

func TestClientAPI_applyDoesNotRecreate(t *testing.T) {
	t.Parallel()
	client, s := newClient(t, kube.Options{Force: true})
	first, err := client.Apply(t.Context(), service(s.Namespace, nil))
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Delete(t.Context(), kube.RefOf(first)); err != nil {
		t.Fatal(err)
	}
	object := service(s.Namespace, nil)
	object.SetUID(first.GetUID())
	if _, err := client.Apply(t.Context(), object); err == nil {
		t.Error("an object that was deleted is created again, although its UID was given")
	}
}

// What a former manager's POST wrote includes the server's defaults. They are no
// loss; what it wrote beyond our fields is.
func TestClientAPI_adoption(t *testing.T) {
	t.Parallel()
	client, s := newClient(t, kube.Options{Force: true})
	former := service(s.Namespace, map[string]any{"sessionAffinity": "ClientIP"})
	former.SetAnnotations(map[string]string{"former": "annotation"})
	s.Create(t, former, acctest.DjangoManager)
	live := s.Get(t, "Service", "mira-acme")
	if client.Manager().Applied(live) {
		t.Error("an object that we never applied counts as applied")
	}
	result, err := client.DryRun(t.Context(), service(s.Namespace, nil), live)
	if err != nil {
		t.Fatal(err)
	}
	dropped, err := client.FieldsLost(t.Context(), live, result)
	if err != nil {
		t.Fatal(err)
	}
	want := managedfields.Fields{
		"metadata.annotations.former":                        "annotation",
		"spec.sessionAffinity":                               "ClientIP",
		"spec.sessionAffinityConfig.clientIP.timeoutSeconds": "10800",
	}
	if diff := cmp.Diff(want, dropped); diff != "" {
		t.Errorf("dropped fields (-want +got):\n%s", diff)
	}

	if live, err = client.Adopt(t.Context(), live, client.Manager().Adoption(live, result, nil)); err != nil {
		t.Fatal(err)
	}
	if !client.Manager().Applied(live) {
		t.Error("an adopted object does not count as applied")
	}
	applied, err := client.Apply(t.Context(), service(s.Namespace, nil))
	if err != nil {
		t.Fatal(err)
	}
	affinity, _, _ := unstructured.NestedString(applied.Object, "spec", "sessionAffinity")
	if affinity != "None" || len(applied.GetAnnotations()) > 0 {
		t.Errorf("after the adoption: sessionAffinity %q, annotations %v", affinity, applied.GetAnnotations())
	}
}

// What an apply is bound to is compared by the server, for built-in kinds and others.
func TestClientAPI_guardedApplies(t *testing.T) {
	t.Parallel()
	client, s := newClient(t, kube.Options{Force: true})
	for _, object := range []*unstructured.Unstructured{service(s.Namespace, nil), statefulSet(s.Namespace, "mira")} {
		t.Run(object.GetKind(), func(t *testing.T) {
			wantChanged := func(what string, err error) {
				t.Helper()
				if changed, ok := errors.AsType[*kube.ChangedError](err); !ok || changed.MayBeOurs {
					t.Errorf("%s: error %v, want a ChangedError that is not ours", what, err)
				}
			}
			result, err := client.DryRun(t.Context(), object, nil)
			if err != nil || !kube.IsNew(result) {
				t.Errorf("the dry run of a new object: is new %t, error %v", kube.IsNew(result), err)
			}
			first, err := client.Apply(t.Context(), kube.OnlyIfAbsent(object))
			if err != nil {
				t.Fatal(err)
			}
			if result, err := client.DryRun(t.Context(), object, nil); err != nil || kube.IsNew(result) {
				t.Errorf("the dry run of an existing object: is new %t, error %v", kube.IsNew(result), err)
			}
			_, err = client.Apply(t.Context(), kube.OnlyIfAbsent(object))
			wantChanged("an object that is there", err)

			s.Patch(t, object.GetKind(), object.GetName(), "test", `{"metadata":{"annotations":{"a":"b"}}}`)
			_, err = client.Apply(t.Context(), kube.OnlyIfUnchanged(object, first))
			wantChanged("an object that has changed", err)
			if _, err := client.Apply(t.Context(), kube.OnlyIfSame(object, first)); err != nil {
				t.Errorf("an object that is the same: %v", err)
			}
			now := s.Get(t, object.GetKind(), object.GetName())
			if _, err := client.Apply(t.Context(), kube.OnlyIfUnchanged(object, now)); err != nil && object.GetKind() == "Service" {
				t.Errorf("an object that has not changed: %v", err)
			}

			s.Delete(t, object.GetKind(), object.GetName())
			_, err = client.Apply(t.Context(), kube.OnlyIfUnchanged(object, now))
			wantChanged("an object that is gone", err)
		})
	}
}

func TestClientAPI_deletesTellWhatTheyFound(t *testing.T) {
	t.Parallel()
	client, s := newClient(t, kube.Options{Force: true})
	anyObject := func(*unstructured.Unstructured) error { return nil }
	for _, object := range []*unstructured.Unstructured{service(s.Namespace, nil), statefulSet(s.Namespace, "mira")} {
		for name, remove := range map[string]func(kube.Ref) (kube.Deletion, error){
			"by its UID": func(ref kube.Ref) (kube.Deletion, error) { return client.DeleteSame(t.Context(), ref) },
			"watched":    func(ref kube.Ref) (kube.Deletion, error) { return client.DeleteWatched(t.Context(), ref, anyObject) },
		} {
			t.Run(object.GetKind()+" "+name, func(t *testing.T) {
				want := func(what string, ref kube.Ref, want kube.Deletion) {
					t.Helper()
					if found, err := remove(ref); found != want || err != nil {
						t.Errorf("%s: %d (error %v), want %d", what, found, err, want)
					}
				}
				first, err := client.Apply(t.Context(), object)
				if err != nil {
					t.Fatal(err)
				}
				want("an object that is there", kube.RefOf(first), kube.Deleted)
				if live, err := client.Get(t.Context(), kube.RefOf(first)); live != nil || err != nil {
					t.Errorf("after its delete there is %v (error %v)", live, err)
				}
				want("an object that is gone", kube.RefOf(first), kube.Absent)
				second, err := client.Apply(t.Context(), object)
				if err != nil {
					t.Fatal(err)
				}
				want("an object whose name another has", kube.RefOf(first), kube.Replaced)
				s.Patch(t, object.GetKind(), object.GetName(), "test", `{"metadata":{"finalizers":["example.com/wait"]}}`)
				released := make(chan struct{})
				go func() {
					defer close(released)
					s.WaitFor(t, object.GetKind(), "that is being deleted", func(all []*unstructured.Unstructured) bool {
						return len(all) == 1 && all[0].GetDeletionTimestamp() != nil
					})
					s.Patch(t, object.GetKind(), object.GetName(), "test", `{"metadata":{"finalizers":null}}`)
				}()
				want("an object that a finalizer holds", kube.RefOf(second), kube.Deleted)
				<-released
				if live, err := client.Get(t.Context(), kube.RefOf(second)); live != nil || err != nil {
					t.Errorf("after its delete there is %v (error %v)", live, err)
				}
			})
		}
	}

	t.Run("an objection", func(t *testing.T) {
		live, err := client.Apply(t.Context(), statefulSet(s.Namespace, "mira"))
		if err != nil {
			t.Fatal(err)
		}
		objection := errors.New("not this one")
		_, err = client.DeleteWatched(t.Context(), kube.RefOf(live), func(*unstructured.Unstructured) error { return objection })
		if now := s.Get(t, "StatefulSet", live.GetName()); !errors.Is(err, objection) || now.GetDeletionTimestamp() != nil {
			t.Errorf("error %v, deletionTimestamp %v; want the objection and an object that stays", err, now.GetDeletionTimestamp())
		}
	})
}
