package mira

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mira-cluster/terraform-provider-mira/internal/cluster"
)

// Plan is what applying a [Spec] would give.
type Plan struct {
	Record
	// Unforeseeable: the namespace is not there yet, so the server cannot say
	// what it would make of the objects. Only URL and Revision are known.
	Unforeseeable bool
	Warnings      []Warning
}

// Plan asks the server, by dry runs, what applying the client would make of its
// objects. `before` is what is recorded of the client; nil for one that is to be
// created. Nothing is written. All objects are tried, so that the error names
// every refusal.
func (f *Fleet) Plan(ctx context.Context, spec Spec, before *Record) (*Plan, error) {
	d, err := f.desire(ctx, spec)
	if err != nil {
		return nil, err
	}
	plan := &Plan{Record: Record{URL: d.url, Revision: d.revision}, Warnings: d.warnings}
	trial, err := f.rehearse(ctx, spec, d)
	var noNamespace *cluster.NamespaceNotFoundError
	if errors.As(err, &noNamespace) {
		plan.Unforeseeable = true
		plan.Warnings = append(plan.Warnings, Warning{
			Summary: "Namespace Not There Yet",
			Detail: fmt.Sprintf("Namespace %q of client %q does not exist. Unless something creates it before the client is applied, that will fail. "+
				"What the client's objects will be is known only then.", spec.Namespace, spec.Name),
		})
		return plan, nil
	}
	if err != nil {
		return nil, err
	}
	plan.Warnings = append(plan.Warnings, f.takeoverWarnings(spec, trial)...)
	plan.Warnings = append(plan.Warnings, dataWarnings(spec, before, trial)...)
	if before == nil {
		warnings, err := f.adoptionWarnings(ctx, spec, trial)
		if err != nil {
			return nil, err
		}
		plan.Warnings = append(plan.Warnings, warnings...)
	}
	f.fill(&plan.Record, trial, before)
	return plan, nil
}

// step is one object of a client, before and after an apply.
type step struct {
	desired *unstructured.Unstructured
	live    *unstructured.Unstructured // nil when there is none
	result  *unstructured.Unstructured // of the dry run, later of the apply
	written bool
}

// trial is the outcome of dry runs, in template order.
type trial []*step

// rehearse reads what is there, refuses what belongs to others, and has the
// server dry-run every object.
func (f *Fleet) rehearse(ctx context.Context, spec Spec, d *desired) (trial, error) {
	steps := make(trial, 0, len(d.objects))
	var refused []error
	for _, object := range d.objects {
		var live *unstructured.Unstructured
		err := f.claim(cluster.RefOf(object), spec.Name)
		if err == nil {
			live, err = f.cluster.Get(ctx, cluster.RefOf(object))
		}
		if err == nil && live != nil {
			err = checkOwner(live, spec.Name)
		}
		var result *unstructured.Unstructured
		if err == nil {
			result, err = f.cluster.DryRun(ctx, object, live)
		}
		if err != nil {
			refused = append(refused, err)
			if isHopeless(ctx, err) {
				break
			}
			continue
		}
		steps = append(steps, &step{desired: object, live: live, result: result})
	}
	return steps, errors.Join(refused...)
}

// isHopeless tells whether the next object would meet the same error.
func isHopeless(ctx context.Context, err error) bool {
	var unreachable *cluster.UnreachableError
	var noNamespace *cluster.NamespaceNotFoundError
	return ctx.Err() != nil || errors.As(err, &unreachable) || errors.As(err, &noNamespace)
}

// fill records objects as the server gave them. The claims follow from the
// template and from what was recorded before, not from the moment: a plan and its
// apply must agree on them.
func (f *Fleet) fill(record *Record, t trial, before *Record) {
	record.Objects = make(map[string]cluster.Fields, len(t))
	record.Refs = nil
	var claims []string
	for _, s := range t {
		ref := cluster.RefOf(s.result)
		record.Refs = append(record.Refs, ref)
		record.Objects[ref.Key()] = f.cluster.Owned(s.result)
		if isStatefulSet(s.desired) {
			claims = append(claims, cluster.ClaimNames(s.desired)...)
		}
	}
	if before != nil {
		claims = append(claims, before.Claims...)
	}
	slices.Sort(claims)
	record.Images = imagesOf(record.Objects)
	record.Claims = slices.Compact(claims)
}

// takeoverWarnings tells what applying takes from whom.
func (f *Fleet) takeoverWarnings(spec Spec, t trial) []Warning {
	var lines []string
	for _, s := range t {
		if s.live == nil {
			continue
		}
		for _, taken := range f.cluster.Taken(s.live, s.result) {
			lines = append(lines, fmt.Sprintf("  %s %s, set by %s", cluster.RefOf(s.live).Key(), taken.Field, taken.Manager))
		}
	}
	if len(lines) == 0 {
		return nil
	}
	return []Warning{{
		Summary: "Fields Taken From Other Managers",
		Detail:  fmt.Sprintf("Client %q: these fields were set by others since the last apply, and go back to what the template says:\n%s", spec.Name, strings.Join(lines, "\n")),
	}}
}

// dataWarnings tells when a StatefulSet gets another name: the new one begins
// with claims of its own, without the data.
func dataWarnings(spec Spec, before *Record, t trial) []Warning {
	if before == nil {
		return nil
	}
	var warnings []Warning
	for _, ref := range before.Refs {
		isKept := slices.ContainsFunc(t, func(s *step) bool { return ref.SameObject(cluster.RefOf(s.desired)) })
		if ref.Kind != statefulSetKind || isKept {
			continue
		}
		warnings = append(warnings, Warning{
			Summary: "Client Leaves Its Data Behind",
			Detail: fmt.Sprintf("Client %q: the template does not have %s any more, which will be deleted. Its PersistentVolumeClaims stay (%s), "+
				"but a StatefulSet of another name does not find them: it begins with empty ones.", spec.Name, ref, strings.Join(before.Claims, ", ")),
		})
	}
	return warnings
}

// before gives the live values of what adopting an object will change: of the
// fields that are applied, and of those that a former manager set and that go.
func (f *Fleet) before(ctx context.Context, s *step) (cluster.Fields, error) {
	dropped, err := f.cluster.Dropped(ctx, s.live, s.result)
	if err != nil {
		return nil, err
	}
	fields := f.cluster.Observe(s.live, f.cluster.Owned(s.result))
	maps.Copy(fields, dropped)
	return fields, nil
}

// adoptionWarnings tells what of the objects that exist a create takes over, and
// what it changes on them: a plan of a create shows only what will be.
func (f *Fleet) adoptionWarnings(ctx context.Context, spec Spec, t trial) ([]Warning, error) {
	var names, lines []string
	isOurs := true
	for _, s := range t {
		if s.live == nil {
			continue
		}
		ref := cluster.RefOf(s.live)
		names = append(names, ref.String())
		isOurs = isOurs && s.live.GetLabels()[clientLabel] == spec.Name
		before, err := f.before(ctx, s)
		if err != nil {
			return nil, err
		}
		for _, line := range changes(ref.Key(), before, f.cluster.Owned(s.result)) {
			if !strings.Contains(line, managedByLabel) && !strings.Contains(line, clientLabel) {
				lines = append(lines, line)
			}
		}
	}
	if len(names) == 0 {
		return nil, nil
	}
	detail := fmt.Sprintf("Objects of client %q exist already and will be adopted: %s.", spec.Name, strings.Join(names, ", "))
	if isOurs {
		detail += " They carry the client's label already: they are left of a tainted client, which this plan replaces, or they are managed under another address or in another state. " +
			"If the resource was renamed in the configuration, use a `moved` block instead."
	}
	switch {
	case len(lines) == 0 && isOurs:
	case len(lines) == 0:
		detail += " They match the template; only the ownership labels are added, and no pod restarts."
	default:
		detail += " These fields change:\n" + strings.Join(lines, "\n")
	}
	return []Warning{{Summary: "Existing Objects Will Be Adopted", Detail: detail}}, nil
}
