package provider

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/mira-cluster/terraform-provider-mira/internal/acctest"
)

// The scripts of the scenario take snapshots of all claims and bring those of one client
// back. They are killed at every point at which something has changed, and go on when they
// are run again. What is not sure to come back is not deleted.
func TestAccScenario_backupAndRestore(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	s.PutTemplate(t, acctest.SampleTemplate(t))
	snapshots := s.InstallSnapshots(t)
	rights := acctest.Edit(t, readExample(t, "scenarios", "backup-and-restore", "rights.yaml"),
		"namespace: default", "namespace: "+s.Namespace, "namespace: controller", "namespace: "+s.Namespace)
	path := filepath.Join(t.TempDir(), "rights.yaml")
	writeFile(t, rights, path)
	acctest.NewKubectl(t, "").Run(t, "apply", "-f", path)
	acctest.NewKubectl(t, s.Kubeconfig).Until(t, "auth", "can-i", "create", "persistentvolumeclaims", "-n", s.Namespace)

	b := &backup{
		CLI: scenario(t, s, "backup-and-restore"), sandbox: s,
		acme: "mira-data-mira-acme-0", globex: "mira-data-mira-globex-0", label: "before-3-1",
	}
	b.Setenv("TIMEOUT", "3m")
	acctest.WantOutput(t, b.WantScript(t, 1, "./snapshot.sh", "before-3-1"), "the state has no claims: apply first")
	b.Apply(t)
	s.Patch(t, "PersistentVolumeClaim", b.acme, "test",
		`{"metadata":{"labels":{"kept":"123"}},"spec":{"resources":{"requests":{"storage":"7Gi"}}}}`)

	acctest.WantOutput(t, b.WantScript(t, 1, "./snapshot.sh"), "usage")
	acctest.WantOutput(t, b.WantScript(t, 1, "./snapshot.sh", "v 3.1; rm"), "usage")
	acctest.WantOutput(t, b.WantScript(t, 1, "./snapshot.sh", "before-3-1", "acme", "other"), "no claims of a client other")
	if taken := snapshots.UIDs(t); len(taken) != 0 {
		t.Errorf("snapshots were taken by wrong calls: %v", taken)
	}
	snapshots.TakeAll(t)
	b.killAt(t, "after", "create")
	b.WantScript(t, -1, "./snapshot.sh", b.label)
	first := snapshots.UIDs(t)
	b.killAt(t, "", "")
	acctest.WantOutput(t, b.WantScript(t, 0, "./snapshot.sh", b.label),
		b.acme+"-before-3-1 exists already", b.globex+"-before-3-1 is ready to use, taken at 2026-01-02T03:04:05Z")
	taken := snapshots.UIDs(t)
	names := slices.Sorted(maps.Keys(taken))
	if diff := cmp.Diff([]string{b.acme + "-before-3-1", b.globex + "-before-3-1"}, names); diff != "" {
		t.Errorf("snapshots (-want +got):\n%s", diff)
	}
	if len(first) != 1 || first[b.acme+"-before-3-1"] != taken[b.acme+"-before-3-1"] {
		t.Errorf("the snapshot of the killed run was not kept: %v, then %v", first, taken)
	}

	b.refusesWhatCannotComeBack(t, snapshots)
	b.comesBackAfterKills(t)
	if diff := cmp.Diff(taken, snapshots.UIDs(t)); diff != "" {
		t.Errorf("snapshots (-before +after):\n%s", diff)
	}
	b.Destroy(t)
}

// backup is the scenario in a sandbox, with the claims of its two clients.
type backup struct {
	*acctest.CLI
	sandbox             *acctest.Sandbox
	acme, globex, label string
}

// killAt has a script killed before or after its next kubectl command of a verb. Without a
// verb, none is killed.
func (b *backup) killAt(t *testing.T, when, verb string) {
	t.Helper()
	kill := map[string]string{"before": "kill -9 $PPID; exit 1", "after": `"$REAL" "$@"; kill -9 $PPID; exit 1`, "": ""}[when]
	b.Tool(t, "kubectl", fmt.Sprintf("case \" $1 $2 \" in *' %s '*) %s ;; esac\nexec \"$REAL\" \"$@\"\n", verb, kill))
}

// refusesWhatCannotComeBack: no claim, pod or StatefulSet changes while not all snapshots
// are ready, and neither by a call that is wrong.
func (b *backup) refusesWhatCannotComeBack(t *testing.T, snapshots *acctest.Snapshots) {
	t.Helper()
	claims, pods, objects := b.sandbox.UIDs(t, "PersistentVolumeClaim"), b.sandbox.UIDs(t, "Pod"), b.sandbox.Snapshot(t)
	snapshots.SetReady(t, b.acme+"-"+b.label, false)
	for _, call := range []struct {
		arguments []string
		want      string
	}{
		{[]string{"acme"}, "usage"},
		{[]string{"acme", "../x"}, "usage"},
		{[]string{"other", b.label}, "no claims of a client other"},
		{[]string{"acme", "no-such"}, "is not there, or not ready to use. No claim was changed."},
		{[]string{"acme", b.label}, "is not there, or not ready to use. No claim was changed."},
	} {
		acctest.WantOutput(t, b.WantScript(t, 1, append([]string{"./restore.sh"}, call.arguments...)...), call.want)
	}
	for kind, before := range map[string]map[string]types.UID{"PersistentVolumeClaim": claims, "Pod": pods} {
		if err := sameUIDs(t, b.sandbox, kind, before); err != nil {
			t.Error(err)
		}
	}
	if diff := cmp.Diff(objects, b.sandbox.Snapshot(t)); diff != "" {
		t.Errorf("a restore that was refused has changed objects (-before +after):\n%s", diff)
	}
	if left, _ := filepath.Glob(filepath.Join(b.Directory(), "restore.acme*")); len(left) > 0 {
		t.Errorf("a restore that was refused has left %v", left)
	}
	snapshots.SetReady(t, b.acme+"-"+b.label, true)
}

// comesBackAfterKills: the claim of acme is made again from its snapshot, whenever the script
// was killed, and nobody else's is touched. A claim that was made meanwhile is not deleted.
func (b *backup) comesBackAfterKills(t *testing.T) {
	t.Helper()
	before := b.sandbox.UIDs(t, "PersistentVolumeClaim")
	original := b.sandbox.Get(t, "PersistentVolumeClaim", b.acme)
	restore := []string{"./restore.sh", "acme", b.label}

	b.killAt(t, "after", "scale")
	b.WantScript(t, -1, restore...)
	if err := sameUIDs(t, b.sandbox, "PersistentVolumeClaim", before); err != nil {
		t.Error(err)
	}
	b.killAt(t, "after", "delete")
	b.WantScript(t, -1, restore...)
	if b.sandbox.Exists(t, "PersistentVolumeClaim", b.acme) {
		t.Error("the claim is there after its deletion")
	}

	b.killAt(t, "", "")
	stranger := original.DeepCopy()
	stranger.Object["metadata"] = map[string]any{"name": b.acme}
	unstructured.RemoveNestedField(stranger.Object, "spec", "volumeName")
	unstructured.RemoveNestedField(stranger.Object, "status")
	b.sandbox.Create(t, stranger, "test")
	acctest.WantOutput(t, b.WantScript(t, 1, restore...), "neither the one of the start of this restore nor one from the snapshot")
	if !b.sandbox.Exists(t, "PersistentVolumeClaim", b.acme) {
		t.Fatal("a claim that was made meanwhile was deleted")
	}
	b.sandbox.DeleteAndWait(t, "PersistentVolumeClaim", b.acme)

	b.killAt(t, "after", "create")
	b.WantScript(t, -1, restore...)
	made := b.sandbox.Get(t, "PersistentVolumeClaim", b.acme)
	b.killAt(t, "", "")
	acctest.WantOutput(t, b.WantScript(t, 0, restore...), "going on with the restore", "comes from the snapshot already", "1 changed")

	got := b.sandbox.UIDs(t, "PersistentVolumeClaim")
	before[b.acme] = made.GetUID()
	if diff := cmp.Diff(before, got); diff != "" {
		t.Errorf("claims after the restore (-want +got):\n%s", diff)
	}
	source, _, _ := unstructured.NestedStringMap(made.Object, "spec", "dataSource")
	want := map[string]string{"apiGroup": "snapshot.storage.k8s.io", "kind": "VolumeSnapshot", "name": b.acme + "-" + b.label}
	if diff := cmp.Diff(want, source); diff != "" {
		t.Errorf("source of the claim (-want +got):\n%s", diff)
	}
	for _, field := range [][]string{{"metadata", "labels"}, {"spec", "resources"}, {"spec", "accessModes"}, {"spec", "storageClassName"}} {
		was, _, _ := unstructured.NestedFieldNoCopy(original.Object, field...)
		is, _, _ := unstructured.NestedFieldNoCopy(made.Object, field...)
		if diff := cmp.Diff(was, is); diff != "" {
			t.Errorf("%v of the claim (-before +after):\n%s", field, diff)
		}
	}
	b.sandbox.WaitReady(t)
	b.Run(t, "plan", "-detailed-exitcode")
	if left, _ := filepath.Glob(filepath.Join(b.Directory(), "restore.acme*")); len(left) > 0 {
		t.Errorf("a restore that is complete has left %v", left)
	}

	// The same snapshot once more.
	b.WantScript(t, 0, restore...)
	if again := b.sandbox.Get(t, "PersistentVolumeClaim", b.acme); again.GetUID() == made.GetUID() {
		t.Error("a second restore has left the claim as it was")
	}
}
