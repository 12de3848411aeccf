package cluster

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

// Mark remembers that applying an object to a live one changes nothing any more:
// what is applied, and what we own on the live object, as digests. Both together
// suffice to know it again, see [Client.Settled].
type Mark struct {
	Applied string `json:"applied"`
	Live    string `json:"live"`
}

// MarkOf gives the mark of an object that was applied, and of what the server made
// of it.
func (c *Client) MarkOf(applied, live *unstructured.Unstructured) Mark {
	return Mark{Applied: c.digestApplied(applied), Live: c.owned(live).digest()}
}

// Settled tells, without asking the server, whether applying an object would change
// nothing, and gives the live fields of which that holds. The mark says that it was
// so once, of the same object and of the same fields, values and owners.
//
// That is enough. An apply sets the fields that it has, which are those that we own,
// to the values that they have already; and it drops those that we own and that it
// does not have: there are none. Whatever others have put beside them stays as it
// is, so that it does not count. Our entry in managedFields changes whenever
// somebody else changes one of our fields, takes it or removes it, and stays the same
// when others change theirs. What the mark does not know is an admission policy that
// came since. It would change what is applied, and nothing is.
//
// `recorded` are the fields recorded of the live object: one among them that we do
// not own any more is for the server to judge.
func (c *Client) Settled(mark Mark, object, live *unstructured.Unstructured, recorded Fields) (Fields, bool) {
	if mark == (Mark{}) || live.GetDeletionTimestamp() != nil || c.digestApplied(object) != mark.Applied {
		return nil, false
	}
	ours := c.owned(live)
	for path := range recorded {
		if _, ok := ours.fields[path]; !ok {
			return nil, false
		}
	}
	return maps.Clone(ours.fields), ours.digest() == mark.Live
}

// OwnsSame tells whether we own the same fields of both objects.
func (c *Client) OwnsSame(a, b *unstructured.Unstructured) bool {
	return c.ownedSet(a).Equals(c.ownedSet(b))
}

// digestApplied covers the name of the manager, too: what it is called decides whose
// the fields are.
func (c *Client) digestApplied(object *unstructured.Unstructured) string {
	data, err := json.Marshal(object.Object)
	if err != nil {
		return "" // it has no mark then
	}
	return digest(func(w io.Writer) { fmt.Fprintf(w, "%q%s", c.manager, data) })
}

func (o owned) digest() string {
	return digest(func(w io.Writer) {
		for _, entry := range o.entries {
			fmt.Fprintf(w, "%q%q", entry.apiVersion, entry.fields)
		}
		for _, path := range slices.Sorted(maps.Keys(o.fields)) {
			fmt.Fprintf(w, "%q%q", path, o.fields[path])
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
