package provider

import (
	"context"
	"encoding/json"

	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
	"github.com/mira-cluster/terraform-provider-mira/internal/managedfields"
	"github.com/mira-cluster/terraform-provider-mira/internal/mira"
)

// clientPrivate is what Terraform keeps of a client beside its attributes. Attributes
// would show it in every plan.
type clientPrivate struct {
	// Refs name the client's objects, in the order of their creation and with their
	// UIDs.
	Refs []kube.Ref
	// Fingerprints are those of [mira.State].
	Fingerprints map[string]managedfields.Fingerprint
	// Journal is that of [mira.State].
	Journal *mira.Journal
	// Cluster is that of [mira.State].
	Cluster string
	// ReadBeforeDelete is that of [mira.State].
	ReadBeforeDelete bool
}

// The keys of the parts.
const (
	refsKey         = "objects"
	fingerprintsKey = "marks"
	journalKey      = "journal"
	clusterKey      = "cluster"
	deleteKey       = "read_before_delete"
)

// privateReader reads the private state of a resource. All of the framework's types for
// it do.
type privateReader interface {
	GetKey(ctx context.Context, key string) ([]byte, diag.Diagnostics)
}

// privateWriter writes it.
type privateWriter interface {
	SetKey(ctx context.Context, key string, value []byte) diag.Diagnostics
}

func loadClientPrivate(ctx context.Context, private privateReader) (clientPrivate, diag.Diagnostics) {
	var loaded clientPrivate
	data, diags := private.GetKey(ctx, refsKey)
	if len(data) > 0 {
		if err := json.Unmarshal(data, &loaded.Refs); err != nil {
			diags.AddError("Unreadable Private State", sentence("the references to the client's objects cannot be read: "+err.Error()))
		}
	}
	data, more := private.GetKey(ctx, fingerprintsKey)
	diags.Append(more...)
	// Without fingerprints the server is asked.
	if len(data) > 0 && json.Unmarshal(data, &loaded.Fingerprints) != nil {
		loaded.Fingerprints = nil
	}
	data, more = private.GetKey(ctx, clusterKey)
	diags.Append(more...)
	// Without the cluster nothing is known of it.
	if len(data) > 0 && json.Unmarshal(data, &loaded.Cluster) != nil {
		loaded.Cluster = ""
	}
	data, more = private.GetKey(ctx, deleteKey)
	diags.Append(more...)
	loaded.ReadBeforeDelete = len(data) > 0
	data, more = private.GetKey(ctx, journalKey)
	diags.Append(more...)
	if len(data) > 0 {
		if err := json.Unmarshal(data, &loaded.Journal); err != nil {
			diags.AddError("Unreadable Private State", sentence("what an earlier apply has left to do cannot be read: "+err.Error()))
		}
	}
	return loaded, diags
}

// save keeps the former fingerprints, and the former cluster, where there are no new ones.
// Without a journal the former one goes.
func (p clientPrivate) save(ctx context.Context, private privateWriter) diag.Diagnostics {
	diags := saveKey(ctx, private, refsKey, p.Refs)
	if p.Fingerprints != nil {
		diags.Append(saveKey(ctx, private, fingerprintsKey, p.Fingerprints)...)
	}
	if p.Cluster != "" {
		diags.Append(saveKey(ctx, private, clusterKey, p.Cluster)...)
	}
	if p.ReadBeforeDelete {
		diags.Append(saveKey(ctx, private, deleteKey, true)...)
	} else {
		diags.Append(private.SetKey(ctx, deleteKey, nil)...)
	}
	if p.Journal == nil {
		diags.Append(private.SetKey(ctx, journalKey, nil)...)
		return diags
	}
	diags.Append(saveKey(ctx, private, journalKey, p.Journal)...)
	return diags
}

func saveKey(ctx context.Context, private privateWriter, key string, part any) diag.Diagnostics {
	data, err := json.Marshal(part)
	if err != nil {
		return diag.Diagnostics{diag.NewErrorDiagnostic("Unwritable Private State", sentence(err.Error()))}
	}
	return private.SetKey(ctx, key, data)
}
