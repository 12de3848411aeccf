package summary

import (
	"slices"
	"strconv"
	"strings"

	"github.com/mira-cluster/terraform-provider-mira/tools/plansummary/internal/plan"
)

// Kind is a kind of danger.
type Kind string

// The kinds of dangers, the worst first.
const (
	DataDeleted     Kind = "data-deleted"
	TemplateDeleted Kind = "template-deleted"
	Destroyed       Kind = "client-destroyed"
	Replaced        Kind = "client-replaced"
	DataUnprotected Kind = "data-unprotected"
	ObjectRemoved   Kind = "object-removed"
	Recreated       Kind = "recreated"
	ReplicasShrink  Kind = "replicas-shrink"
	NotKnown        Kind = "not-known"
	AdoptionChanges Kind = "adoption-changes"
	RolloutPending  Kind = "rollout-pending"
)

// Kinds returns all kinds of dangers, the worst first.
func Kinds() []Kind {
	return []Kind{
		DataDeleted, TemplateDeleted, Destroyed, Replaced, DataUnprotected, ObjectRemoved, Recreated, ReplicasShrink, NotKnown,
		AdoptionChanges, RolloutPending,
	}
}

var titles = map[Kind]string{
	DataDeleted:     "Data deleted",
	TemplateDeleted: "Template deleted",
	Destroyed:       "Client destroyed, its data stays",
	Replaced:        "Client destroyed and created again",
	DataUnprotected: "Data goes with a later destroy (delete_data becomes true)",
	ObjectRemoved:   "Object removed",
	Recreated:       "Object deleted and created again, as the field cannot be changed in place",
	ReplicasShrink:  "Fewer replicas",
	NotKnown:        "What changes is known only after the apply",
	AdoptionChanges: "Import or adoption changes existing objects",
	RolloutPending:  "Earlier rollout not seen through; the apply waits for it",
}

// Title says in words what a kind is.
func (k Kind) Title() string { return titles[k] }

// danger is one kind of danger of one client.
type danger struct {
	kind   Kind
	fields []Field
}

// dangersOf returns what is dangerous about the change of a client.
func dangersOf(change *plan.Change, fields []Field) []danger {
	var found []danger
	add := func(kind Kind, fields ...Field) { found = append(found, danger{kind, fields}) }
	action, before := change.Action(), change.BeforeSide()
	if action == plan.Delete || action == plan.Replace {
		claims := Field{Path: "persistent_volume_claims", Before: before.Value("persistent_volume_claims")}
		deletes, _ := before.Raw("delete_data").(bool)
		if deletes {
			add(DataDeleted, claims)
		}
		switch {
		case action == plan.Replace:
			add(Replaced, replacing(change, fields)...)
		case !deletes:
			add(Destroyed, claims)
		}
		return found
	}
	if action != plan.Update {
		return nil
	}
	byKind := map[Kind][]Field{}
	for _, field := range fields {
		for _, kind := range fieldDangers(field) {
			byKind[kind] = append(byKind[kind], field)
		}
	}
	if change.IsImport() && slices.ContainsFunc(fields, func(f Field) bool { return f.Object != "" }) {
		byKind[AdoptionChanges] = slices.DeleteFunc(slices.Clone(fields), func(f Field) bool { return f.Object == "" || isLabel(f) })
		if len(byKind[AdoptionChanges]) == 0 {
			delete(byKind, AdoptionChanges)
		}
	}
	for _, kind := range Kinds() {
		if fields, ok := byKind[kind]; ok {
			add(kind, fields...)
		}
	}
	return found
}

// replacing returns the changes of the arguments for which a client is replaced; all of them if the plan does not say.
func replacing(change *plan.Change, fields []Field) []Field {
	var reasons []Field
	for _, field := range fields {
		for _, path := range change.ReplacePaths {
			if len(path) > 0 && path[0] == field.Path {
				reasons = append(reasons, field)
			}
		}
	}
	return reasons
}

// isLabel reports whether a field is one of the labels that the provider puts on each object that it adopts.
func isLabel(f Field) bool {
	return f.Path == "metadata.labels[mira-cluster.io/client]" || f.Path == "metadata.labels[app.kubernetes.io/managed-by]"
}

// fieldDangers returns the kinds of danger that the change of one field is.
func fieldDangers(f Field) []Kind {
	kind, _, _ := strings.Cut(f.Object, "/")
	switch {
	case f.Object == "" && f.Path == "delete_data" && f.After.Text == "true":
		return []Kind{DataUnprotected}
	case f.Object == "" && f.Path == "rollout" && f.Before.Text == "pending":
		return []Kind{RolloutPending}
	case f.Object == "" && f.Path == "objects":
		return []Kind{NotKnown}
	case f.Object == "":
		return nil
	case f.Path == WholeObject && f.After.State == plan.Absent:
		return []Kind{ObjectRemoved}
	case f.Path == WholeObject:
		return nil
	case f.Path == "spec.replicas" && shrinks(f):
		return []Kind{ReplicasShrink}
	case kind == "StatefulSet" && !canChange(f.Path):
		return []Kind{Recreated}
	case kind == "Service" && f.Path == "spec.clusterIP" && (f.Before.Text == "None") != (f.After.Text == "None"):
		return []Kind{Recreated}
	}
	return nil
}

// shrinks reports whether there are fewer replicas afterwards. Without a number Kubernetes runs one.
func shrinks(f Field) bool {
	before, beforeErr := replicas(f.Before)
	after, afterErr := replicas(f.After)
	return beforeErr == nil && afterErr == nil && after < before
}

func replicas(v plan.Value) (int, error) {
	if v.State == plan.Absent {
		return 1, nil
	}
	if v.State != plan.Known {
		return 0, strconv.ErrSyntax
	}
	return strconv.Atoi(v.Text)
}

// changeable are the fields of the spec of a StatefulSet that Kubernetes lets change; all others need a recreation
// (ValidateStatefulSetUpdate in pkg/apis/apps/validation of Kubernetes).
var changeable = []string{
	"minReadySeconds", "ordinals", "persistentVolumeClaimRetentionPolicy", "replicas", "revisionHistoryLimit", "template", "updateStrategy",
}

func canChange(path string) bool {
	below, isSpec := strings.CutPrefix(path, "spec.")
	if !isSpec {
		return true
	}
	end := strings.IndexAny(below, ".[")
	if end < 0 {
		end = len(below)
	}
	return slices.Contains(changeable, below[:end])
}

// replacesPods reports whether a change makes pods new.
func replacesPods(fields []Field) bool {
	return slices.ContainsFunc(fields, func(f Field) bool {
		return strings.HasPrefix(f.Object, "StatefulSet/") && strings.HasPrefix(f.Path, "spec.template.")
	})
}
