#!/usr/bin/env bash
# The demo behind `make demo` and `make demo-down`: three clients on a local control plane, and the plan of a new version.
# With MIRA_TEST_CLUSTER=existing it runs on the cluster of KUBECONFIG instead, if that has no MIRA template yet.
# It writes to .demo/ alone; the user's own CLI and kubectl configuration is neither read nor changed.
set -euo pipefail
cd "$(dirname "$0")/../.."

demo=$PWD/.demo
work=$demo/quickstart
admin=$demo/admin.kubeconfig
label=mira-cluster.io/demo
template=examples/client-template/client_template.yaml
mode=$([ "${MIRA_TEST_CLUSTER:-}" = existing ] && echo existing || echo local)

doing='starting'
failed() {
  printf '\nThe demo failed while %s: see above. Repeat it with "make demo", or clear it away with "make demo-down".\n' "$doing" >&2
}
trap '[ $? -eq 0 ] || failed' EXIT
step() { doing=$1 && printf '\n==> %s\n' "$1"; }
die() { printf 'demo: %s\n' "$*" >&2 && exit 1; }
as_admin() { kubectl --kubeconfig "$admin" "$@"; }
run_cli() { "$cli" -chdir="$work" "$@" -input=false ${no_color:+"$no_color"}; }
no_color=$([ -t 1 ] || echo -no-color)

# The settings of the caller's shell must not decide which cluster, CLI configuration or domain the demo uses.
# shellcheck disable=SC2046 # a list of names
unset $(compgen -e | grep -E '^(TF_CLI|TF_DATA_DIR|TF_PLUGIN|TF_REATTACH|TF_WORKSPACE|KUBE_|CLUSTER_DOMAIN$)' || echo _)

# terraform and kubectl as they are installed, or OpenTofu and kubectl as tools/localcluster builds them.
find_tools() {
  PATH=${PATH//"$demo/bin:"/} # from a shell that has sourced .demo/env
  cli=$(command -v terraform || bin/localcluster path tofu)
  mkdir -p "$demo/bin"
  ln -sf "$cli" "$demo/bin/"
  if [ "$mode" = local ] || ! command -v kubectl >/dev/null; then
    ln -sf "$(bin/localcluster path kubectl)" "$demo/bin/"
  fi
  PATH=$demo/bin:$PATH
}

# Copies the kubeconfig with its current context only: what the demo does to a cluster is undone on the same cluster.
connect() {
  if [ "$mode" = local ]; then
    bin/localcluster up --name demo
    eval "$(bin/localcluster env --name demo)"
  fi
  : "${KUBECONFIG:?MIRA_TEST_CLUSTER=existing needs KUBECONFIG, the path of the kubeconfig of the cluster}"
  (umask 077 && kubectl config view --minify --flatten --raw >"$admin.new")
  local id
  id="$mode $(kubectl --kubeconfig "$admin.new" get namespace kube-system -o 'jsonpath={.metadata.uid}')"
  case $(cat "$demo/cluster" 2>/dev/null || echo) in
    "$id" | '') ;;
    existing*) die 'the demo still has clients on another cluster: run "make demo-down" first (or remove .demo, if that cluster is gone)' ;;
    local*) rm -rf "$work" ;; # of a cluster that is gone
  esac
  if [ "$mode" = existing ] && kubectl --kubeconfig "$admin.new" get configmaps,serviceaccounts -n controller -l "$label!=true" -o name |
    grep -E '/(templates-yaml|mira-cluster-controller-config|controller)$'; then
    rm "$admin.new"
    die 'the cluster has these in namespace controller already, and the demo would overwrite them: choose a cluster without MIRA'
  fi
  mv "$admin.new" "$admin"
  echo "$id" >"$demo/cluster"
}

# Writes a ConfigMap. The label distinguishes the demo's objects from those of a fleet.
store() { # store ARGUMENTS-OF-CREATE
  as_admin create configmap -n controller "$@" --dry-run=client -o yaml |
    as_admin label --local -f - "$label=true" -o yaml |
    as_admin apply --server-side --force-conflicts -f -
}

# Writes a kubeconfig with the token of the ServiceAccount. The token is never part of a command line, which others could see.
impersonate() { # impersonate FILE
  local token
  token=$(as_admin create token controller -n controller --duration=24h)
  (
    umask 077
    printf 'apiVersion: v1\nkind: Config\nusers:\n- name: controller\n  user: {token: %s}\n' "$token" >"$1.user"
    cp "$admin" "$1.cluster"
    kubectl --kubeconfig "$1.cluster" config unset users
    kubectl --kubeconfig "$1.cluster" config set-context --current --user=controller --namespace=default
    KUBECONFIG=$1.cluster:$1.user kubectl config view --flatten --raw >"$1"
  ) >/dev/null
  rm "$1.user" "$1.cluster"
}

# Puts the provider where both CLIs find it, with a CLI configuration that says so and an environment that names that.
install_provider() {
  local platform host directory
  platform=$(go env GOOS)_$(go env GOARCH)
  for host in registry.terraform.io registry.opentofu.org; do
    directory=$demo/mirror/$host/mira-cluster/mira/0.1.0/$platform
    mkdir -p "$directory"
    install -m 755 bin/terraform-provider-mira "$directory/terraform-provider-mira_v0.1.0"
  done
  cat >"$demo/cli.tfrc" <<EOF
provider_installation {
  filesystem_mirror {
    path    = "$demo/mirror"
    include = ["registry.terraform.io/mira-cluster/mira", "registry.opentofu.org/mira-cluster/mira"]
  }
  direct {
    exclude = ["registry.terraform.io/mira-cluster/mira", "registry.opentofu.org/mira-cluster/mira"]
  }
}
EOF
  # kubectl has an administrator's rights by KUBECONFIG; the provider prefers KUBE_CONFIG_PATH.
  printf 'export %s=%q\n' TF_CLI_CONFIG_FILE "$demo/cli.tfrc" KUBE_CONFIG_PATH "$1" KUBECONFIG "$admin" >"$demo/env"
  # shellcheck disable=SC2016 # the shell that reads the file expands it
  printf 'export PATH=%q:$PATH\n' "$demo/bin" >>"$demo/env"
  # No kubelet but the simulated ones finds the images of the sample template.
  [ "$mode" = local ] || echo 'export TF_VAR_wait_for_rollout=false' >>"$demo/env"
  # shellcheck source=/dev/null
  . "$demo/env"
  mkdir -p "$work"
  cp examples/quickstart/main.tf "$work/"
  rm -f "$work/.terraform.lock.hcl" # it has the checksum of the previous build
}

try() { printf '  %-52s # %s\n' "$1" "$2"; }

up() {
  step "connecting to the cluster ($mode)"
  find_tools
  connect
  step 'granting ServiceAccount controller/controller the documented rights'
  as_admin apply --server-side -f examples/rbac/namespace.yaml
  as_admin apply --server-side -f examples/rbac/controller.yaml
  as_admin label --overwrite -f examples/rbac/controller.yaml "$label=true" >/dev/null
  impersonate "$demo/controller.kubeconfig"
  step 'storing the sample template and the settings in ConfigMaps'
  store templates-yaml --from-file=client_template.yaml="$template"
  store mira-cluster-controller-config --from-literal=CLUSTER_DOMAIN=mira.example
  step "installing the provider for $(basename "$cli")"
  install_provider "$demo/controller.kubeconfig"
  run_cli init >"$demo/init.log" 2>&1 || { cat "$demo/init.log" >&2 && false; }
  step 'creating three clients'
  run_cli apply -auto-approve
  kubectl get statefulsets,services,ingresses,pods,persistentvolumeclaims -n default
  step 'releasing mira:3.1 in the template'
  sed 's/mira:3\.0/mira:3.1/' "$template" >"$demo/client_template.yaml"
  if cmp -s "$template" "$demo/client_template.yaml"; then die "$template does not name the image mira:3.0"; fi
  store templates-yaml --from-file=client_template.yaml="$demo/client_template.yaml"
  step 'planning what the release changes'
  local changes=0 name
  run_cli plan -detailed-exitcode || changes=$?
  [ $changes -eq 2 ] || die "the plan ended with exit code $changes instead of 2 (changes)"

  name=$(basename "$cli")
  printf '\nThree clients run, and a release is planned. What to try next:\n\n'
  printf '  source .demo/env && cd .demo/quickstart\n\n'
  try "$name apply" 'roll out mira:3.1'
  try "$name plan" 'no changes'
  try 'kubectl scale statefulset mira-acme --replicas=0' 'change something by hand'
  try 'kubectl delete service mira-globex' 'and more'
  try "$name apply" 'see both in the plan, and have them repaired'
  try "\$EDITOR main.tf && $name apply" 'add a client, or take one away'
  try 'kubectl edit configmap templates-yaml -n controller' 'change the template'
  printf '\nThe provider has the rights of examples/rbac, kubectl those of an administrator. Take it down: make demo-down\n'
}

down() {
  step 'taking the demo down'
  if [ ! -f "$demo/cluster" ] || grep -q '^local' "$demo/cluster"; then
    bin/localcluster down --name demo
  else
    mode=existing
    find_tools
    # shellcheck source=/dev/null
    [ ! -f "$work/terraform.tfstate" ] || (. "$demo/env" && KUBE_CONFIG_PATH=$admin run_cli destroy -auto-approve)
    as_admin delete configmaps,serviceaccounts,roles,rolebindings -n controller -l "$label=true"
    as_admin delete roles,rolebindings -n default -l "$label=true"
    echo 'Namespace controller and the claims named above stay: delete them with kubectl if nothing else needs them.'
  fi
  rm -rf "$demo"
}

case ${1:-} in
  up) up ;;
  down) down ;;
  *) die 'usage: demo.sh up|down' ;;
esac
