#!/usr/bin/env bash
# Brings the claims of a client back to the snapshots of a label. What was written since is lost.
#   ./restore.sh CLIENT LABEL
# Run again after it has failed or was killed, at whatever point, it goes on. Environment: TERRAFORM (default: terraform), TIMEOUT (10m).
set -euo pipefail

fail() {
  printf 'restore: %s\n' "$*" >&2
  exit 1
}
client=${1:-} label=${2:-}
for word in "$client" "$label"; do
  if [ $# -ne 2 ] || ! [[ $word =~ ^[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?$ ]]; then
    fail "usage: $0 CLIENT LABEL; both have at most 40 lower case letters, digits and hyphens"
  fi
done
terraform=${TERRAFORM:-terraform} timeout=${TIMEOUT:-10m}
# What there was before the first change, until the restore is complete: the claims, and how many pods each StatefulSet had.
saved=restore.$client.$label

# Nothing is changed unless all of it can come back.
check_snapshots() { # reads lines of client, namespace, claim
  local namespace claim found
  while read -r _ namespace claim _; do
    found=$(kubectl get volumesnapshot -n "$namespace" "$claim-$label" --ignore-not-found \
      -o jsonpath='{.status.readyToUse} {.spec.source.persistentVolumeClaimName}')
    [ "$found" = "true $claim" ] ||
      fail "VolumeSnapshot $namespace/$claim-$label of claim $claim is not there, or not ready to use. No claim was changed."
  done
}

save() {
  local table claims='' name namespace claim uid
  table=$("$terraform" output -raw claims)
  if grep -qvE '^[-a-z0-9]+ [-a-z0-9]+ [-.a-z0-9]+$' <<<"$table"; then # a warning that there is no output ends with 0
    fail 'the state has no claims: apply first'
  fi
  while read -r name namespace claim; do
    if [ "$name" = "$client" ]; then
      claims+="$name $namespace $claim"$'\n'
    fi
  done <<<"$table"
  [ -n "$claims" ] || fail "the state has no claims of a client $client"
  claims=${claims%$'\n'}
  check_snapshots <<<"$claims"

  rm -rf "$saved.new"
  mkdir "$saved.new"
  while read -r name namespace claim; do
    kubectl get persistentvolumeclaim -n "$namespace" "$claim" -o yaml >"$saved.new/$claim.yaml"
    uid=$(kubectl get persistentvolumeclaim -n "$namespace" "$claim" -o jsonpath='{.metadata.uid}')
    printf '%s %s %s %s\n' "$name" "$namespace" "$claim" "$uid" >>"$saved.new/claims"
  done <<<"$claims"
  read -r _ namespace _ <<<"$claims"
  kubectl get statefulsets -n "$namespace" -l "mira-cluster.io/client=$client" \
    -o go-template="{{range .items}}$namespace {{.metadata.name}} {{.spec.replicas}}{{\"\\n\"}}{{end}}" >"$saved.new/workloads"
  [ -s "$saved.new/workloads" ] || fail "client $client has no StatefulSet in namespace $namespace: apply first. No claim was changed."
  mv "$saved.new" "$saved"
}

# Has pods stop, and waits until they have: they write to the claims.
stop() {
  local namespace name
  while read -r namespace name _; do
    kubectl scale statefulset -n "$namespace" "$name" --replicas=0
    kubectl wait statefulset -n "$namespace" "$name" --for=jsonpath='{.status.replicas}'=0 --timeout="$timeout"
  done <"$saved/workloads"
}

# A claim as it was, from the snapshot, without what binds it to its former volume.
create_claim() { # create_claim CLAIM
  kubectl patch --local -f "$saved/$1.yaml" --type=merge -o yaml -p '{
    "metadata": {"uid": null, "resourceVersion": null, "creationTimestamp": null, "deletionTimestamp": null,
      "deletionGracePeriodSeconds": null, "finalizers": null, "managedFields": null, "ownerReferences": null,
      "annotations": {"pv.kubernetes.io/bind-completed": null, "pv.kubernetes.io/bound-by-controller": null,
        "volume.kubernetes.io/selected-node": null, "volume.kubernetes.io/storage-provisioner": null,
        "volume.beta.kubernetes.io/storage-provisioner": null, "volume.kubernetes.io/storage-resizer": null}},
    "spec": {"volumeName": null, "dataSourceRef": null,
      "dataSource": {"apiGroup": "snapshot.storage.k8s.io", "kind": "VolumeSnapshot", "name": "'"$1-$label"'"}},
    "status": null}' | kubectl create -f -
}

restore_claim() { # restore_claim NAMESPACE CLAIM UID-BEFORE
  local found
  found=$(kubectl get persistentvolumeclaim -n "$1" "$2" --ignore-not-found -o jsonpath='{.metadata.uid} {.spec.dataSource.name}')
  case $found in
    "$3 "*)
      kubectl delete persistentvolumeclaim -n "$1" "$2" --timeout="$timeout"
      create_claim "$2"
      ;;
    '') create_claim "$2" ;;
    *" $2-$label") printf 'persistentvolumeclaim/%s comes from the snapshot already\n' "$2" ;;
    *)
      fail "PersistentVolumeClaim $1/$2 is neither the one of the start of this restore nor one from the snapshot." \
        "It was made meanwhile, and may hold data. If that can go, delete it and run this again."
      ;;
  esac
}

# Starts the client as the configuration says: with the template of now, and by the provider, so that no field stays kubectl's.
start() {
  local namespace name replicas
  "$terraform" apply -auto-approve -input=false -target="${ADDRESS:-mira_client.this[\"$client\"]}"
  # A template without replicas leaves them to whoever has set them.
  while read -r namespace name replicas; do
    if [ "$(kubectl get statefulset -n "$namespace" "$name" --ignore-not-found -o jsonpath='{.spec.replicas}')" = 0 ]; then
      kubectl scale statefulset -n "$namespace" "$name" --replicas="$replicas"
      kubectl rollout status statefulset -n "$namespace" "$name" --timeout="$timeout"
    fi
  done <"$saved/workloads"
}

if [ -d "$saved" ]; then
  printf 'restore: going on with the restore that %s records\n' "$saved"
  check_snapshots <"$saved/claims"
else
  save
fi
stop
while read -r _ namespace claim uid <&3; do
  restore_claim "$namespace" "$claim" "$uid"
done 3<"$saved/claims"
start
rm -rf "$saved"
