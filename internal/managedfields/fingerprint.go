package managedfields

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Fingerprint remembers that applying an object to a live one changes nothing any
// more: it holds what is applied, and what we own on the live object, as digests.
// [Manager.InSync] compares them.
type Fingerprint struct {
	Applied string `json:"applied"`
	Live    string `json:"live"`
}

// FingerprintOf returns the fingerprint of an object that was applied, and of what
// the server made of it.
func (m *Manager) FingerprintOf(applied, live *unstructured.Unstructured) Fingerprint {
	return Fingerprint{Applied: m.DigestApplied(applied), Live: m.ownership(live).digest()}
}

// InSync reports, without asking the server, whether applying an object would change
// nothing, and returns the live fields that we own. The fingerprint says that this was
// true once, for the same object and the same fields, values and owners.
//
// That is enough. An apply sets the fields that it has, which are those that we own,
// to the values that they have already; and it drops those that we own and that it
// does not have: these are fields that a new object would have with the same values, so
// nothing is gained by that. What others have added stays as it is and does not
// count. Our entry in managedFields changes whenever another manager
// changes one of our fields, takes it or removes it, and stays the same when others
// change theirs. The fingerprint does not know of an admission policy that came
// since. Such a policy would change what is applied, and nothing is applied.
//
// The order of lists is in no entry of managedFields: it is compared with that of the
// object.
//
// `recorded` are the fields recorded of the live object: one among them that we do
// not own any more is for the server to judge.
func (m *Manager) InSync(fingerprint Fingerprint, object, live *unstructured.Unstructured, recorded Fields) (Fields, bool) {
	if fingerprint == (Fingerprint{}) || live.GetDeletionTimestamp() != nil || m.DigestApplied(object) != fingerprint.Applied {
		return nil, false
	}
	ours := m.ownership(live)
	for path := range recorded {
		if _, ok := ours.fields[path]; !ok {
			return nil, false
		}
	}
	if ours.digest() != fingerprint.Live {
		return nil, false
	}
	for path, wanted := range m.orders(object, keyedLists(object.Object, ours.set)) {
		if ours.orders[path] != wanted {
			return nil, false
		}
	}
	return m.keepHidden(live, maps.Clone(ours.fields), recorded), true
}

// DigestApplied returns a digest of an object that is applied. It covers the name of the
// manager, too: the name decides who owns the fields. It is empty where the object
// cannot be written as JSON.
func (m *Manager) DigestApplied(object *unstructured.Unstructured) string {
	data, err := json.Marshal(object.Object)
	if err != nil {
		return ""
	}
	return digest(func(w io.Writer) { fmt.Fprintf(w, "%q%s", m.name, data) })
}

// digest covers what we own, but for the orders of lists: [Manager.InSync] compares those,
// so that a fingerprint that does not know of them keeps its worth.
func (o ownership) digest() string {
	return digest(func(w io.Writer) {
		for _, entry := range o.entries {
			fmt.Fprintf(w, "%q%q", entry.apiVersion, entry.fields)
		}
		for _, path := range slices.Sorted(maps.Keys(o.fields)) {
			if _, isOrder := o.orders[path]; !isOrder {
				fmt.Fprintf(w, "%q%q", path, o.fields[path])
			}
		}
	})
}

// digest is short enough to stand in the state for every object, and long enough
// that no two things ever have the same.
func digest(write func(io.Writer)) string {
	hash := sha256.New()
	write(hash)
	return base64.RawURLEncoding.EncodeToString(hash.Sum(nil)[:16])
}
