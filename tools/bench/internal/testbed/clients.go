package testbed

import (
	"context"
	"fmt"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/mira-cluster/terraform-provider-mira/internal/managedfields"
	"github.com/mira-cluster/terraform-provider-mira/internal/mira"
)

const (
	// settleTimeout is how long the pods of a fleet may take to become ready.
	settleTimeout = 20 * time.Minute
	// writers is how many objects are written at a time.
	writers = 10
	// pageSize is the page size of LISTs.
	pageSize = 500
)

// Settle waits until there are as many StatefulSets as count says, and all of them run
// pods of their newest revision only, which are ready.
func (n *Namespace) Settle(ctx context.Context, count int) error {
	pending := ""
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	err := poll(ctx, time.Second, func() (bool, error) {
		sets, err := n.statefulSets(ctx)
		if err != nil {
			return false, err
		}
		ready := 0
		for i := range sets {
			if isSettled(&sets[i]) {
				ready++
			}
		}
		pending = fmt.Sprintf("%d of %d StatefulSets in namespace %q are ready", ready, len(sets), n.Name)
		return len(sets) == count && ready == count, nil
	})
	if err != nil && pending != "" {
		return fmt.Errorf("%s: %w", pending, err)
	}
	return err
}

func (n *Namespace) statefulSets(ctx context.Context) ([]unstructured.Unstructured, error) {
	var all []unstructured.Unstructured
	options := metav1.ListOptions{Limit: pageSize}
	for {
		list, err := n.cluster.admin.Resource(statefulSets).Namespace(n.Name).List(ctx, options)
		if err != nil {
			return nil, err
		}
		all = append(all, list.Items...)
		if options.Continue = list.GetContinue(); options.Continue == "" {
			return all, nil
		}
	}
}

func isSettled(set *unstructured.Unstructured) bool {
	replicas, _, _ := unstructured.NestedInt64(set.Object, "spec", "replicas")
	number := func(field string) int64 {
		value, _, _ := unstructured.NestedInt64(set.Object, "status", field)
		return value
	}
	text := func(field string) string {
		value, _, _ := unstructured.NestedString(set.Object, "status", field)
		return value
	}
	return number("observedGeneration") == set.GetGeneration() && number("readyReplicas") == replicas &&
		number("updatedReplicas") == replicas && text("currentRevision") == text("updateRevision")
}

// Drift is a manual change of one object of a client.
type Drift struct {
	Kind  string
	patch string
}

// Drifts are changes that the provider must find, one for each kind of object.
var Drifts = []Drift{
	{"StatefulSet", `{"spec":{"template":{"spec":{"terminationGracePeriodSeconds":31}}}}`},
	{"Service", `{"spec":{"selector":{"client":"somebody-else"}}}`},
	{"Ingress", `{"spec":{"ingressClassName":"another"}}`},
}

// Apply changes an object of a client as kubectl edit does.
func (d Drift) Apply(ctx context.Context, n *Namespace, client string) error {
	_, err := n.cluster.admin.Resource(resources[d.Kind]).Namespace(n.Name).
		Patch(ctx, objectName(client), types.MergePatchType, []byte(d.patch), metav1.PatchOptions{FieldManager: "kubectl-edit"})
	if err != nil {
		return fmt.Errorf("change %s %s by hand: %w", d.Kind, objectName(client), err)
	}
	return nil
}

// objectName returns the name that the sample template gives the objects of a client.
func objectName(client string) string { return "mira-" + client }

// Populate writes the objects of clients as the provider would: with its field
// manager and label. They are in no Terraform state.
func (n *Namespace) Populate(ctx context.Context, template string, names []string, domain string) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan string)
	var running sync.WaitGroup
	for range writers {
		running.Go(func() {
			for name := range next {
				if err := n.write(ctx, template, name, domain); err != nil {
					cancel(err)
					return
				}
			}
		})
	}
	for _, name := range names {
		select {
		case next <- name:
		case <-ctx.Done():
		}
	}
	close(next)
	running.Wait()
	return context.Cause(ctx)
}

func (n *Namespace) write(ctx context.Context, template, client, domain string) error {
	objects, err := render(template, client, domain)
	if err != nil {
		return err
	}
	for _, o := range objects {
		o.SetLabels(map[string]string{mira.ClientLabel: client})
		_, err := n.cluster.admin.Resource(resources[o.GetKind()]).Namespace(n.Name).
			Apply(ctx, o.GetName(), o, metav1.ApplyOptions{FieldManager: managedfields.DefaultName, Force: true})
		if err != nil {
			return fmt.Errorf("%s %s: %w", o.GetKind(), o.GetName(), err)
		}
	}
	return nil
}
