# What is measured: one resource per client, nothing else.

provider "mira" {
  namespace      = var.namespace
  cluster_domain = var.cluster_domain
  template       = { namespace = var.namespace }
  kubernetes     = { config_path = var.kubeconfig }
}

resource "mira_client" "this" {
  for_each = local.clients

  name             = each.key
  admin_email      = each.value.admin_email
  wait_for_rollout = var.wait
}
