package mira

import (
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
	"github.com/mira-cluster/terraform-provider-mira/internal/managedfields"
	"github.com/mira-cluster/terraform-provider-mira/internal/template"
)

// Warning is something that the operator should know and that stops nothing. Each
// kind of warning is a type of this file. Their texts are in package provider.
type Warning interface{ isWarning() }

// UnusedVariablesWarning says that a client sets variables that its template does
// not use.
type UnusedVariablesWarning struct {
	Client    string
	Variables []string
	Template  TemplateSource
}

// RecordedSecretsWarning says that the state has values of a client's secret variables in
// clear, among its variables: they were no secrets before, or an import could not know that
// they are.
type RecordedSecretsWarning struct {
	Client    string
	Variables []string
}

// TemplatePendingWarning says that the template is not the one that the client is
// pinned to, but may become it in the same run.
type TemplatePendingWarning struct {
	Client   string
	Template TemplateSource
	Revision string // the pinned one
	Found    string // that of the former pin; empty when there is no template yet
}

// NamespacePendingWarning says that the client's namespace does not exist, but may
// be created in the same run.
type NamespacePendingWarning struct {
	Client, Namespace string
}

// PendingRolloutWarning says that rollouts of a client were not seen through, which the
// apply goes on with.
type PendingRolloutWarning struct {
	Client  string
	Pending []PendingRollout
	// CanRollBack: it is recorded what the client was before.
	CanRollBack bool
}

// StoppedClientWarning says that a client was not restarted, as it has no pods.
type StoppedClientWarning struct {
	Client, Namespace string
}

// PartialRestartWarning says that pods of a client are not restarted, as they stand below the
// partition of its StatefulSet.
type PartialRestartWarning struct {
	Client      string
	StatefulSet kube.Ref
	Partition   int64
}

// ObjectsLeaveWarning names the objects that the template does not have any more, and that
// an apply deletes. StatefulSets have a warning of their own.
type ObjectsLeaveWarning struct {
	Client  string
	Objects []kube.Ref
}

// NoReadinessProbeWarning names containers without a readiness probe: they count as ready
// as soon as they run, whether the application answers or not.
type NoReadinessProbeWarning struct {
	Containers []string
}

// AdoptionOrigin says where existing objects that are adopted come from.
type AdoptionOrigin int

const (
	// AdoptedUnlabelled objects are not all known to be the client's.
	AdoptedUnlabelled AdoptionOrigin = iota
	// AdoptedLabelled objects all carry the client's label: they are managed under another
	// address or in another state, or an interrupted create has left them. Only
	// [AdoptAny] adopts them.
	AdoptedLabelled
	// AdoptedRecreated objects were created again by others since the last apply.
	AdoptedRecreated
	// AdoptedImported objects were imported, and not applied yet.
	AdoptedImported
)

// AdoptionWarning names the objects that exist and that an apply adopts, and what it
// changes: the plan of a create shows only what will be, and that of an import is long. An
// adoption that changes nothing is told only of objects that another state may have.
type AdoptionWarning struct {
	Client  string
	Origin  AdoptionOrigin
	Objects []kube.Ref    // that exist
	Missing []kube.Ref    // that are created beside them
	Changes []FieldChange // but for the labels of ownership, and what is removed
}

// ChangesObjects reports whether the adoption changes or creates anything.
func (w AdoptionWarning) ChangesObjects() bool { return len(w.Changes) > 0 || len(w.Missing) > 0 }

// AdoptionRemovesWarning names the fields that others have set on objects which an apply
// adopts, and that go, as the template does not have them.
type AdoptionRemovesWarning struct {
	Client  string
	Changes []FieldChange
}

// OwnedField is a field of an object, and who owns it.
type OwnedField struct {
	Object string // Kind/name
	managedfields.FieldOwner
}

// TakeoverWarning names the fields that an apply takes from other managers.
type TakeoverWarning struct {
	Client string
	Fields []OwnedField
}

// ManualFieldsWarning names the fields that were added by hand and that an
// apply removes, as the server does not accept them together with the template's.
type ManualFieldsWarning struct {
	Client  string
	Changes []FieldChange
}

// SharedFieldsWarning names the fields that the template does not have any more, and
// that stay on the objects because others own them, too.
type SharedFieldsWarning struct {
	Client string
	Fields []OwnedField
}

// KeptField is a field of an object that the server keeps.
type KeptField struct {
	Object       kube.Ref
	Field, Value string
}

// KeptFieldsWarning names the fields that the template does not have any more, and that the
// server keeps on the live objects: new ones would not have them.
type KeptFieldsWarning struct {
	Client string
	Fields []KeptField
}

// DifferingField is a field that the server has filled in, with its live value, and the one that
// it would fill in for a new object.
type DifferingField struct {
	KeptField
	Wanted string
}

// DifferingFieldsWarning names the fields that the template does not have, and that the server does
// not give the value that a new object would have.
type DifferingFieldsWarning struct {
	Client string
	Fields []DifferingField
}

// FallbackWarning names the fields that get another value although the template says
// nothing of them any more: what the server fills in for a new object.
type FallbackWarning struct {
	Client  string
	Changes []FieldChange
}

// ServiceRecreationWarning says that a Service will be deleted and created again around
// its endpoints.
type ServiceRecreationWarning struct {
	Client     string
	Service    kube.Ref
	IsHeadless bool // from then on
	// GetsSelector: it is headless before, too, and is to have a selector.
	GetsSelector bool
}

// AdmittedField is a field of an object that the server stores with another value
// than the template has.
type AdmittedField struct {
	Object string // Kind/name
	managedfields.AdmissionChange
}

// AdmissionWarning names the fields that the server stores with another value than
// the template has.
type AdmissionWarning struct {
	Client string
	Fields []AdmittedField
}

// StoredValuesWarning names the fields that the server stored with another value than
// its dry run had promised.
type StoredValuesWarning struct {
	Client  string
	Changes []FieldChange
}

// ReplaceRequiredWarning says that a change can be applied only if the client is
// deleted first.
type ReplaceRequiredWarning struct {
	Client string
	Err    error // why
}

// RecreationWarning says that a StatefulSet will be deleted and created again around
// its pods.
type RecreationWarning struct {
	Client      string
	StatefulSet kube.Ref
	Fields      []string // that cannot be changed in place
	// NewRevision: the pod template changes, too, so that the pods are replaced.
	NewRevision bool
	// WithoutClaim are the pods that lack a claim which the StatefulSet gets. They are
	// replaced for that.
	WithoutClaim []string
}

// ClaimGrowth is more storage for a claim that exists.
type ClaimGrowth struct {
	Claim    kube.Ref
	From, To resource.Quantity
}

// ClaimGrowthWarning names the claims that will grow.
type ClaimGrowthWarning struct {
	Client string
	Claims []ClaimGrowth
}

// ClaimsTooSmallWarning names the claims that stay smaller than the template asks, as
// they are not bound to a volume yet.
type ClaimsTooSmallWarning struct {
	Client string
	Claims []ClaimGrowth
}

// ClaimNotGrownWarning says that a new client serves, but that a claim has not grown.
type ClaimNotGrownWarning struct {
	Client string
	Err    error
}

// FileSystemPendingWarning says that a volume has grown, and that its file system
// grows when the pod that uses it starts the next time.
type FileSystemPendingWarning struct {
	Client string
	Claim  ClaimGrowth
}

// RenamedStatefulSetWarning says that a StatefulSet goes whose claims stay, and that
// no other StatefulSet will find them.
type RenamedStatefulSetWarning struct {
	Client      string
	StatefulSet kube.Ref
	Claims      []string
}

// ClaimPolicyWarning says that a StatefulSet has Kubernetes delete its claims when it goes
// or shrinks, as the plan has it do, and that this policy is taken back first.
type ClaimPolicyWarning struct {
	Client      string
	StatefulSet kube.Ref
	Policies    []string // whenDeleted, whenScaled
}

// ClaimsFoundWarning names the claims that are there already under the names that a new
// StatefulSet will use.
type ClaimsFoundWarning struct {
	Client, Namespace string
	Claims            []string
}

// DataDeletedWarning names the claims that a plan deletes with their client.
type DataDeletedWarning struct {
	Client, Namespace string
	Claims            []string
}

// DataKeptWarning names the claims that stay when their client is deleted.
type DataKeptWarning struct {
	Client, Namespace string
	Claims            []string
}

// DataLeftWarning names the claims of a client that another one replaces, as its name or
// its namespace changes. The other one does not find them.
type DataLeftWarning struct {
	Client, Namespace string
	Claims            []string
	Next              ClientName
}

// UnknownValuesWarning names the placeholders whose values the live objects of an
// imported client do not tell.
type UnknownValuesWarning struct {
	Client       string
	Placeholders []string
}

// ConflictingValuesWarning says that the live objects of an imported client tell
// different values of one placeholder.
type ConflictingValuesWarning struct {
	Client   string
	Conflict template.Conflict
}

// ObjectKeptWarning says that a recorded object was not deleted, as it is not the
// client's any more.
type ObjectKeptWarning struct {
	Client string
	Object kube.Ref
	// Owner is the client that it belongs to. It is empty where the object was deleted
	// and another one created under its name, without the label.
	Owner string
}

// AppliedElsewhereWarning says that nothing was deleted, as the client was created or
// adopted under another address in the same run.
type AppliedElsewhereWarning struct {
	Client string
}

// ClaimsUnreadableWarning says that a deleted client's claims stay, but that it could
// not be read which ones there are.
type ClaimsUnreadableWarning struct {
	Client string
	Err    error
}

func (UnusedVariablesWarning) isWarning()    {}
func (StoppedClientWarning) isWarning()      {}
func (PartialRestartWarning) isWarning()     {}
func (RecordedSecretsWarning) isWarning()    {}
func (PendingRolloutWarning) isWarning()     {}
func (ObjectsLeaveWarning) isWarning()       {}
func (NoReadinessProbeWarning) isWarning()   {}
func (TemplatePendingWarning) isWarning()    {}
func (NamespacePendingWarning) isWarning()   {}
func (AdoptionWarning) isWarning()           {}
func (AdoptionRemovesWarning) isWarning()    {}
func (TakeoverWarning) isWarning()           {}
func (ManualFieldsWarning) isWarning()       {}
func (SharedFieldsWarning) isWarning()       {}
func (KeptFieldsWarning) isWarning()         {}
func (DifferingFieldsWarning) isWarning()    {}
func (FallbackWarning) isWarning()           {}
func (ServiceRecreationWarning) isWarning()  {}
func (AdmissionWarning) isWarning()          {}
func (StoredValuesWarning) isWarning()       {}
func (ReplaceRequiredWarning) isWarning()    {}
func (RecreationWarning) isWarning()         {}
func (ClaimGrowthWarning) isWarning()        {}
func (ClaimsTooSmallWarning) isWarning()     {}
func (ClaimNotGrownWarning) isWarning()      {}
func (FileSystemPendingWarning) isWarning()  {}
func (ClaimPolicyWarning) isWarning()        {}
func (ClaimsFoundWarning) isWarning()        {}
func (DataDeletedWarning) isWarning()        {}
func (DataKeptWarning) isWarning()           {}
func (DataLeftWarning) isWarning()           {}
func (RenamedStatefulSetWarning) isWarning() {}
func (UnknownValuesWarning) isWarning()      {}
func (ConflictingValuesWarning) isWarning()  {}
func (ObjectKeptWarning) isWarning()         {}
func (AppliedElsewhereWarning) isWarning()   {}
func (ClaimsUnreadableWarning) isWarning()   {}
