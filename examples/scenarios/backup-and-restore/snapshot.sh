#!/usr/bin/env bash
# Takes a VolumeSnapshot of each claim of the clients, and waits until all of them are ready to use.
#   ./snapshot.sh LABEL [CLIENT]...      (without CLIENT: of all clients in the state)
# LABEL names the moment, such as before-3-1. Run again with the same LABEL, it keeps the snapshots that exist and takes those that
# are missing. Environment: SNAPSHOT_CLASS (default: the default class of the driver), TERRAFORM (terraform), TIMEOUT (10m).
set -euo pipefail

fail() {
  printf 'snapshot: %s\n' "$*" >&2
  exit 1
}
label=${1:-}
if ! [[ $label =~ ^[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?$ ]]; then
  fail "usage: $0 LABEL [CLIENT]...; LABEL has at most 40 lower case letters, digits and hyphens"
fi
shift

# A line for each claim: client, namespace, claim.
claims=$("${TERRAFORM:-terraform}" output -raw claims)
if grep -qvE '^[-a-z0-9]+ [-a-z0-9]+ [-.a-z0-9]+$' <<<"$claims"; then # a warning that there is no output ends with 0
  fail 'the state has no claims: apply first'
fi
if [ $# -gt 0 ]; then
  all=$claims claims=
  for wanted in "$@"; do
    found=
    while read -r client namespace claim; do
      [ "$client" = "$wanted" ] || continue
      found=yes claims+="$client $namespace $claim"$'\n'
    done <<<"$all"
    [ -n "$found" ] || fail "the state has no claims of a client $wanted: no snapshot was taken"
  done
  claims=${claims%$'\n'}
fi

# A snapshot of a claim that does not exist would wait for it.
while read -r _ namespace claim; do
  kubectl get persistentvolumeclaim -n "$namespace" "$claim" -o name >/dev/null || fail 'no snapshot was taken'
done <<<"$claims"

while read -r client namespace claim; do
  source=$(kubectl get volumesnapshot -n "$namespace" "$claim-$label" --ignore-not-found \
    -o jsonpath='{.spec.source.persistentVolumeClaimName}')
  case $source in
    "$claim") printf 'VolumeSnapshot %s/%s exists already, and is kept\n' "$namespace" "$claim-$label" ;;
    '')
      kubectl create -f - <<YAML
apiVersion: snapshot.storage.k8s.io/v1
kind: VolumeSnapshot
metadata:
  name: "$claim-$label"
  namespace: "$namespace"
  labels:
    mira-cluster.io/client: "$client"
    mira-cluster.io/snapshot: "$label"
spec:
  ${SNAPSHOT_CLASS:+volumeSnapshotClassName: "$SNAPSHOT_CLASS"}
  source:
    persistentVolumeClaimName: "$claim"
YAML
      ;;
    *) fail "VolumeSnapshot $namespace/$claim-$label is one of claim $source: choose another LABEL" ;;
  esac
done <<<"$claims"

while read -r _ namespace claim; do
  snapshot=volumesnapshot/$claim-$label
  if ! kubectl wait -n "$namespace" "$snapshot" --for=jsonpath='{.status.readyToUse}'=true --timeout="${TIMEOUT:-10m}" >/dev/null; then
    fail "$namespace/$snapshot is not ready to use: $(kubectl get -n "$namespace" "$snapshot" -o jsonpath='{.status.error.message}')"
  fi
  printf '%s/%s is ready to use, taken at %s\n' "$namespace" "$snapshot" \
    "$(kubectl get -n "$namespace" "$snapshot" -o jsonpath='{.status.creationTime}')"
done <<<"$claims"
