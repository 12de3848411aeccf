# Clients on two clusters from one configuration: a provider for each, told apart by an alias. A client that moves to
# another cluster is a new one there; its data stays where it was.
#
# OpenTofu can make one provider for each item of a map: ../multi-cluster-for-each.

terraform {
  required_providers {
    mira = {
      source  = "mira-cluster/mira"
      version = "~> 0.1"
    }
  }
}

variable "clusters" {
  description = "How to reach the clusters, and where their clients and templates are."
  type = map(object({
    kubeconfig         = string
    cluster_domain     = string
    namespace          = optional(string, "default")
    template_namespace = optional(string, "controller")
  }))
}

provider "mira" {
  alias = "europe"

  cluster_domain = var.clusters.europe.cluster_domain
  namespace      = var.clusters.europe.namespace
  template       = { namespace = var.clusters.europe.template_namespace }
  kubernetes     = { config_path = var.clusters.europe.kubeconfig }
}

provider "mira" {
  alias = "america"

  cluster_domain = var.clusters.america.cluster_domain
  namespace      = var.clusters.america.namespace
  template       = { namespace = var.clusters.america.template_namespace }
  kubernetes     = { config_path = var.clusters.america.kubeconfig }
}

locals {
  clients = {
    acme    = { admin_email = "admin@acme.example", cluster = "europe" }
    globex  = { admin_email = "it@globex.example", cluster = "america" }
    initech = { admin_email = "ops@initech.example", cluster = "america" }
  }
  # Written inside for_each, they would be evaluated again for each client.
  europe  = { for name, client in local.clients : name => client if client.cluster == "europe" }
  america = { for name, client in local.clients : name => client if client.cluster == "america" }
}

resource "mira_client" "europe" {
  provider = mira.europe
  for_each = local.europe

  name        = each.key
  admin_email = each.value.admin_email
}

resource "mira_client" "america" {
  provider = mira.america
  for_each = local.america

  name        = each.key
  admin_email = each.value.admin_email
}

output "urls" {
  description = "Where the clients are served."
  value       = { for name, client in merge(mira_client.europe, mira_client.america) : name => client.url }
}
