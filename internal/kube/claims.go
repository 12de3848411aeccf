package kube

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/singleflight"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/cache"
)

// ClaimKind is that of PersistentVolumeClaims.
var ClaimKind = schema.GroupVersionKind{Version: "v1", Kind: "PersistentVolumeClaim"}

// claimsPageSize bounds a page of the list of claims.
const claimsPageSize = 500

// Claims finds, reads and grows the PersistentVolumeClaims of StatefulSets.
type Claims struct {
	client *Client
	recent *cache.LRUExpireCache // of []Ref by namespace
	lists  singleflight.Group    // by namespace
}

// NewClaims returns what looks after the claims of a client's cluster.
func NewClaims(client *Client) *Claims {
	return &Claims{client: client, recent: cache.NewLRUExpireCache(recentObjects)}
}

// ListClaims says whose claims [Claims.List] finds.
type ListClaims struct {
	Namespace string
	// StatefulSet is the name of the StatefulSet. It need not exist any more.
	StatefulSet string
	// Templates are the names of its claim templates.
	Templates []string
	// Fresh asks the server now. Otherwise the claims may have been listed up to a
	// minute ago, for another StatefulSet of the namespace.
	Fresh bool
}

// List finds the claims of a StatefulSet, those of replicas that are no more
// included. Its name and the names of its claim templates suffice. (The labels of
// claims do not tell them apart: they are those of the selector, which clients may
// share.)
//
// As they can only be found among all of the namespace, the list is shared by all
// who ask within a minute: a fleet that is destroyed would list all its claims for
// each of its clients.
func (c *Claims) List(ctx context.Context, of ListClaims) ([]Ref, error) {
	if len(of.Templates) == 0 {
		return nil, nil
	}
	quoted := make([]string, 0, len(of.Templates))
	for _, template := range of.Templates {
		quoted = append(quoted, regexp.QuoteMeta(template))
	}
	ours := regexp.MustCompile(`^(` + strings.Join(quoted, "|") + `)-` + regexp.QuoteMeta(of.StatefulSet) + `-\d+$`)
	all, err := c.all(ctx, of.Namespace, of.Fresh)
	if err != nil {
		return nil, err
	}
	var refs []Ref
	for _, ref := range all {
		if ours.MatchString(ref.Name) {
			refs = append(refs, ref)
		}
	}
	return refs, nil
}

// all returns all claims of a namespace, sorted by name. A caller who
// comes while they are being listed waits for that list, unless it must be fresh.
func (c *Claims) all(ctx context.Context, namespace string, fresh bool) ([]Ref, error) {
	if fresh {
		return c.list(ctx, namespace)
	}
	for {
		isOwn := false
		refs, err, _ := c.lists.Do(namespace, func() (any, error) {
			isOwn = true
			if recent, ok := c.recent.Get(namespace); ok {
				return recent, nil
			}
			return c.list(ctx, namespace)
		})
		switch {
		case err == nil:
			return refs.([]Ref), nil
		case isOwn:
			return nil, err
		}
		// Another caller's list failed, perhaps as that caller was cancelled.
	}
}

func (c *Claims) list(ctx context.Context, namespace string) ([]Ref, error) {
	endpoint, err := c.client.kinds.resource(ClaimKind)
	if err != nil {
		return nil, err
	}
	begun := time.Now()
	var refs []Ref
	options := listOptions{resource: endpoint, namespace: namespace, limit: claimsPageSize, nameOnly: true}
	for {
		page, err := listPage(ctx, c.client.requests, options)
		if err != nil {
			return nil, c.client.errors.translate("list", NewRef(ClaimKind, namespace, "*"), err)
		}
		for _, item := range page.items {
			ref := NewRef(ClaimKind, namespace, item.name)
			claim, err := decodeItem(item.data, ref)
			if err != nil {
				return nil, c.client.errors.translate("list", ref, err)
			}
			ref.UID = claim.GetUID()
			refs = append(refs, ref)
		}
		if page.next == "" {
			break
		}
		options.next = page.next
	}
	slices.SortFunc(refs, func(a, b Ref) int { return strings.Compare(a.Name, b.Name) })
	c.recent.Add(namespace, refs, recentTTL-time.Since(begun))
	return refs, nil
}
