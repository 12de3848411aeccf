package managedfields

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/text/unicode/norm"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// A secret is known in every form in which a server, a log or an error may write it.
func TestSecretsForms(t *testing.T) {
	t.Parallel()
	for _, secret := range []string{
		"hunter2-hunter2", `quo"ted\and<tagged>&`, "line one\nline two\n", "Zoë and Amélie", "pin1", "with blanks %and% signs/+",
	} {
		secrets := NewSecrets(map[string]string{"PASSWORD": secret})
		quoted, err := json.Marshal(map[string]string{"a": secret})
		if err != nil {
			t.Fatal(err)
		}
		texts := []string{
			secret, "postgres://mira:" + secret + "@db/mira", norm.NFC.String(secret), norm.NFD.String(secret), string(quoted),
			fmt.Sprintf("Invalid value: %q: must be short", secret), "https://x.example/?p=" + url.QueryEscape(secret),
			base64.StdEncoding.EncodeToString([]byte(secret)), strings.Join(strings.Fields(secret), " "),
		}
		if len(secret) > 8 {
			for _, before := range []string{"", "a", "ab", "abc", "abcd"} {
				texts = append(texts, base64.StdEncoding.EncodeToString([]byte(before+secret+"@db")))
			}
		}
		for _, text := range texts {
			if !secrets.In(text) {
				t.Errorf("%q is not found in %q", secret, text)
			}
			redacted := secrets.Redact(text)
			if secrets.In(redacted) || !strings.Contains(redacted, "(secret PASSWORD)") {
				t.Errorf("%q: redacted to %q", text, redacted)
			}
		}
		for _, text := range []string{"", "mira:3.0", "something else that is long enough to contain much"} {
			if secrets.In(text) || secrets.Redact(text) != text {
				t.Errorf("%q is found in %q", secret, text)
			}
		}
	}
}

// The longest of several secrets counts, and empty ones do not.
func TestSecretsSeveral(t *testing.T) {
	t.Parallel()
	secrets := NewSecrets(map[string]string{"SHORT": "abcd", "LONG": "abcd-efgh", "EMPTY": ""})
	if got, want := secrets.Redact("abcd-efgh, abcd"), "(secret LONG), (secret SHORT)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if secrets := NewSecrets(map[string]string{"EMPTY": ""}); secrets != nil || secrets.In("") || secrets.Redact("text") != "text" {
		t.Error("an empty value counts as a secret")
	}
}

// secretService returns a Service of a name with an annotation and an atomic field.
func secretService(t testing.TB, name, annotation, selector string) *unstructured.Unstructured {
	t.Helper()
	object := service(t, `{"selector": {"app": "`+selector+`"}, "clusterIP": "10.0.0.1"}`, applied(DefaultName,
		`{"f:metadata": {"f:annotations": {"f:a": {}}}, "f:spec": {"f:selector": {}, "f:clusterIP": {}}}`))
	object.SetName(name)
	object.SetAnnotations(map[string]string{"a": annotation})
	return object
}

// What contains a secret shows as a hash: of the whole value, and another one for another
// object. Everything else shows as it is.
func TestOwnedHidesSecrets(t *testing.T) {
	t.Parallel()
	manager := NewManager("", "").WithSecrets(NewSecrets(map[string]string{"PASSWORD": "hunter2"}))
	fields := manager.Owned(secretService(t, "a", "x-hunter2-y", "the-hunter2"))
	for _, path := range []string{"metadata.annotations.a", "spec.selector"} {
		if !IsHash(fields[path]) {
			t.Errorf("%s shows %q", path, fields[path])
		}
	}
	if fields["spec.clusterIP"] != "10.0.0.1" {
		t.Errorf("the address shows as %q", fields["spec.clusterIP"])
	}
	same := manager.Owned(secretService(t, "a", "x-hunter2-y", "the-hunter2"))
	if !FieldsEqual(fields, same) {
		t.Errorf("the hashes of equal objects differ: %v, %v", fields, same)
	}
	const path = "metadata.annotations.a"
	if other := manager.Owned(secretService(t, "b", "x-hunter2-y", "the-hunter2")); other[path] == fields[path] {
		t.Error("the hash is the same for another object")
	}
	if other := manager.Owned(secretService(t, "a", "x-hunter2-z", "the-hunter2")); other[path] == fields[path] {
		t.Error("the hash is the same for another value")
	}
}

// A value that was shown as a hash stays one, also when it is no secret of the
// configuration any more: it may be the former password, or one set by hand.
func TestObserveKeepsHashes(t *testing.T) {
	t.Parallel()
	const path = "metadata.annotations.a"
	object := secretService(t, "a", "hunter2", "app")
	before := NewManager("", "").WithSecrets(NewSecrets(map[string]string{"PASSWORD": "hunter2"})).Owned(object)
	after := NewManager("", "").WithSecrets(NewSecrets(map[string]string{"PASSWORD": "hunter3"}))
	if got := after.Observe(object, before); got[path] != before[path] {
		t.Errorf("the former secret shows as %q, want %q", got[path], before[path])
	}
	byHand := after.Observe(secretService(t, "a", "by hand", "app"), before)
	if got := byHand[path]; !IsHash(got) || got == before[path] {
		t.Errorf("a secret that was set by hand shows as %q", got)
	}
	if got := byHand["spec.selector"]; got != `{"app":"app"}` {
		t.Errorf("another field shows as %q", got)
	}
	fingerprint := after.FingerprintOf(object, object)
	if got, ok := after.InSync(fingerprint, object, object, before); !ok || got[path] != before[path] {
		t.Errorf("in sync (%t), the former secret shows as %q", ok, got[path])
	}
}

// Merge keys stand in paths.
func TestOwnedHidesSecretsInPaths(t *testing.T) {
	t.Parallel()
	object := service(t, `{"ports": [{"port": 80, "protocol": "TCP", "name": "x"}]}`, applied(DefaultName,
		`{"f:metadata": {"f:finalizers": {"v:\"example.com/hunter2\"": {}}}}`))
	object.SetFinalizers([]string{"example.com/hunter2"})
	fields := NewManager("", "").WithSecrets(NewSecrets(map[string]string{"PASSWORD": "hunter2"})).Owned(object)
	for path, text := range fields {
		if strings.Contains(path+text, "hunter2") {
			t.Errorf("%s shows %q", path, text)
		}
	}
	if len(fields) != 1 {
		t.Errorf("the fields are %v", fields)
	}
}

// An admission policy that changes a secret gets no text of it into the warning.
func TestAdmissionChangesHideSecrets(t *testing.T) {
	t.Parallel()
	manager := NewManager("", "").WithSecrets(NewSecrets(map[string]string{"PASSWORD": "hunter2"}))
	changes := manager.AdmissionChanges(secretService(t, "a", "hunter2", "app"), secretService(t, "a", "hunter", "app"))
	if len(changes) != 1 || !IsHash(changes[0].Wanted) || !IsHash(changes[0].Got) || changes[0].Wanted == changes[0].Got {
		t.Errorf("the changes are %+v", changes)
	}
}

// Without the configuration, nothing shows that an apply has written and no state has
// recorded. What others have written does.
func TestHideUnrecorded(t *testing.T) {
	t.Parallel()
	const fields = `{"f:metadata": {"f:annotations": {"f:a": {}, "f:b": {}, "f:c": {}}, "f:finalizers": {"v:\"hunter2\"": {}}}}`
	object := service(t, `{"clusterIP": "10.0.0.1"}`, applied(DefaultName, fields), updated("kubectl-edit", `{"f:spec": {"f:clusterIP": {}}}`))
	object.SetAnnotations(map[string]string{"a": "recorded", "b": "hunter2", "c": "hunter2"})
	object.SetFinalizers([]string{"hunter2"})
	manager := NewManager("", "")
	recorded := Fields{
		"metadata.annotations.a": "recorded", "metadata.annotations.b": "plain before", "spec.clusterIP": "10.0.0.2",
	}
	for range 2 { // what was not recorded stays so
		got := manager.HideUnrecorded(object, manager.Observe(object, recorded), recorded)
		want := Fields{
			"metadata.annotations.a": "recorded", "metadata.annotations.b": notRecorded, "spec.clusterIP": "10.0.0.1",
			notRecorded: "2 fields",
		}
		if !FieldsEqual(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		recorded = got
	}
	hashes := Fields{"metadata.annotations.b": manager.Hide(object, "former"), "metadata.annotations.a": "recorded"}
	got := manager.HideUnrecorded(object, manager.Observe(object, hashes), hashes)
	if got["metadata.annotations.b"] != manager.Hide(object, "hunter2") {
		t.Errorf("what was shown as a hash shows as %q", got["metadata.annotations.b"])
	}
}

// A client's manager knows what the fleet's remembers, and hides more of it.
func TestWithSecretsOfRememberedObject(t *testing.T) {
	t.Parallel()
	fleet := NewManager("", "")
	object := secretService(t, "a", "hunter2", "app")
	fleet.Remember(object)
	client := fleet.WithSecrets(NewSecrets(map[string]string{"PASSWORD": "hunter2"}))
	const path = "metadata.annotations.a"
	if shown := client.Owned(object)[path]; !IsHash(shown) {
		t.Errorf("the client's manager shows %q", shown)
	}
	if shown := fleet.Owned(object)[path]; shown != "hunter2" {
		t.Errorf("the fleet's manager shows %q", shown)
	}
	if _, isRemembered := client.known.Get(object); !isRemembered {
		t.Error("what we own is worked out again each time")
	}
}
