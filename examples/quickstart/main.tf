# Three clients of one fleet. The cluster is the one of KUBECONFIG; the template and the cluster domain are read from
# its ConfigMaps controller/templates-yaml and controller/mira-cluster-controller-config.

terraform {
  required_providers {
    mira = {
      source  = "mira-cluster/mira"
      version = "~> 0.1"
    }
  }
}

provider "mira" {}

variable "wait_for_rollout" {
  description = "Whether an apply ends only when every client serves. Set it to false where the cluster cannot pull MIRA's images."
  type        = bool
  default     = true
}

# A local, not an expression inside for_each: that would be evaluated again for each client.
locals {
  clients = {
    acme    = { admin_email = "admin@acme.example" }
    globex  = { admin_email = "it@globex.example" }
    initech = { admin_email = "o'brien+mira@initech.example" }
  }
}

resource "mira_client" "this" {
  for_each = local.clients

  name             = each.key
  admin_email      = each.value.admin_email
  wait_for_rollout = var.wait_for_rollout
}

output "urls" {
  description = "Where each client is served."
  value       = { for name, client in mira_client.this : name => client.url }
}
