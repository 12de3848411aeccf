# The fleet as the Jobs of this scenario plan and apply it: see README.md. From outside the cluster, with the same state:
#
#   terraform init -backend-config=in_cluster_config=false -backend-config=config_path=~/.kube/config

terraform {
  required_providers {
    mira = {
      source  = "mira-cluster/mira"
      version = "~> 0.1"
    }
  }

  backend "kubernetes" {
    namespace         = "controller"
    secret_suffix     = "mira" # the Secret is tfstate-default-mira: rights.yaml names it
    in_cluster_config = true
  }
}

provider "mira" {}

locals {
  clients = {
    acme   = { admin_email = "admin@acme.example" }
    globex = { admin_email = "it@globex.example" }
  }
}

resource "mira_client" "this" {
  for_each = local.clients

  name        = each.key
  admin_email = each.value.admin_email
}
