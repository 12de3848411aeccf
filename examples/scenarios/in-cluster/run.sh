#!/bin/sh
# What the Jobs run:
#   run.sh drift    plans, and ends with 0 where nothing would change, with 2 where something would, and with 1 after an error
#   run.sh apply    applies what it plans
# The pod's log has all output. A summary goes to the file SUMMARY, which Kubernetes takes into the pod's status.
# Environment: CONFIG (default: /config), WORK (/work, empty at the start), SUMMARY (/dev/termination-log), TERRAFORM (terraform).
set -eu

job=${1:-}
case $job in
  drift | apply) ;;
  *) echo "usage: $0 drift|apply" >&2 && exit 64 ;;
esac
terraform=${TERRAFORM:-terraform} summary=${SUMMARY:-/dev/termination-log}
export TF_IN_AUTOMATION=1 TF_INPUT=0
cd "${WORK:-/work}"
cp "${CONFIG:-/config}"/* .

# Runs a command whose output goes to the log of the pod and to a file. Kubernetes stops a pod by SIGTERM to this shell, which
# hands it on: an apply then ends in order, and unlocks the state.
run() {
  rm -f output
  mkfifo output
  tee -a log <output &
  copy=$!
  "$@" >output 2>&1 &
  child=$!
  trap 'kill -TERM "$child"' TERM INT
  result=0
  wait "$child" || result=$?
  while kill -0 "$child" 2>/dev/null; do # it was the signal that has ended the wait
    result=0
    wait "$child" || result=$?
  done
  trap - TERM INT
  wait "$copy" || :
  return "$result"
}

# The outcome, then what changes. Kubernetes keeps 4096 bytes.
summarize() {
  {
    grep -E '^(No changes|Plan:|Changes to Outputs|Apply complete|Error:|Warning:)' log
    grep -E '^  # .* (will|must) be ' log
  } | head -c 4000 >"$summary"
}

code=0
run "$terraform" init -no-color || code=$?
if [ "$code" -eq 0 ]; then
  case $job in
    drift) run "$terraform" plan -no-color -detailed-exitcode -lock-timeout=10m || code=$? ;;
    apply) run "$terraform" apply -no-color -auto-approve -lock-timeout=10m || code=$? ;;
  esac
fi
summarize || echo "$0: no summary in $summary" >&2
exit "$code"
