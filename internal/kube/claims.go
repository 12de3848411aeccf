package kube

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/cache"
)

// ClaimKind is that of PersistentVolumeClaims.
var ClaimKind = schema.GroupVersionKind{Version: "v1", Kind: "PersistentVolumeClaim"}

// claimsPageSize bounds a page of the list of claims.
const claimsPageSize = 500

// singleClaims is how many claims of a namespace are read one by one before those of the
// namespace are listed: a plan of one new client must not list a large cluster, and one
// of a thousand must not send a thousand requests.
const singleClaims = 8

// Claims finds, reads, grows and keeps the PersistentVolumeClaims of StatefulSets.
type Claims struct {
	client *Client
	recent *cache.LRUExpireCache // of []claimMetadata by namespace
	lists  singleflight.Group    // by namespace

	mu    sync.Mutex
	asked map[string]int // how many claims were asked for by name, by namespace
}

// claimMetadata is what a list of names tells of a claim.
type claimMetadata struct {
	Ref
	resourceVersion string
	owners          []metav1.OwnerReference
}

// NewClaims returns what looks after the claims of a client's cluster.
func NewClaims(client *Client) *Claims {
	return &Claims{client: client, recent: cache.NewLRUExpireCache(recentObjects), asked: make(map[string]int)}
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
	for _, claim := range all {
		if ours.MatchString(claim.Name) {
			refs = append(refs, claim.Ref)
		}
	}
	return refs, nil
}

// GetAll reads those of the named claims that are there. A few are read one by one. From
// the ninth of a namespace on, the shared list of [Claims.List] says which are there, and
// only these are read. A server that refuses to list is asked for each.
func (c *Claims) GetAll(ctx context.Context, namespace string, names []string) ([]*Claim, error) {
	if c.ask(namespace, len(names)) > singleClaims {
		all, err := c.all(ctx, namespace, false)
		var forbidden *ForbiddenError
		switch {
		case err == nil:
			names = slices.DeleteFunc(slices.Clone(names), func(name string) bool {
				return !slices.ContainsFunc(all, func(claim claimMetadata) bool { return claim.Name == name })
			})
		case !errors.As(err, &forbidden):
			return nil, err
		}
	}
	var claims []*Claim
	for _, name := range names {
		claim, err := c.Get(ctx, namespace, name)
		if err != nil {
			return nil, err
		}
		if claim != nil {
			claims = append(claims, claim)
		}
	}
	return claims, nil
}

// ask notes that claims are asked for by name, and returns how many were by now.
func (c *Claims) ask(namespace string, count int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked[namespace] += count
	return c.asked[namespace]
}

// all returns all claims of a namespace, sorted by name. A caller who
// comes while they are being listed waits for that list, unless it must be fresh.
func (c *Claims) all(ctx context.Context, namespace string, fresh bool) ([]claimMetadata, error) {
	if fresh {
		return c.list(ctx, namespace)
	}
	for {
		isOwn := false
		claims, err, _ := c.lists.Do(namespace, func() (any, error) {
			isOwn = true
			if recent, ok := c.recent.Get(namespace); ok {
				return recent, nil
			}
			return c.list(ctx, namespace)
		})
		switch {
		case err == nil:
			return claims.([]claimMetadata), nil
		case isOwn:
			return nil, err
		}
		// Another caller's list failed, perhaps as that caller was cancelled.
	}
}

func (c *Claims) list(ctx context.Context, namespace string) ([]claimMetadata, error) {
	endpoint, err := c.client.kinds.resource(ClaimKind)
	if err != nil {
		return nil, err
	}
	begun := time.Now()
	var claims []claimMetadata
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
			claims = append(claims, claimMetadata{
				Ref: ref, resourceVersion: claim.GetResourceVersion(), owners: claim.GetOwnerReferences(),
			})
		}
		if page.next == "" {
			break
		}
		options.next = page.next
	}
	slices.SortFunc(claims, func(a, b claimMetadata) int { return strings.Compare(a.Name, b.Name) })
	c.recent.Add(namespace, claims, recentTTL-time.Since(begun))
	return claims, nil
}
