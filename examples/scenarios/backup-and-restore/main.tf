# A fleet whose claims are backed up before a release: see README.md.

terraform {
  required_providers {
    mira = {
      source  = "mira-cluster/mira"
      version = "~> 0.1"
    }
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

output "claims" {
  description = "A line for each claim, for the scripts: client, namespace, claim."
  value = join("", flatten([for name, client in mira_client.this : [
    for claim in client.persistent_volume_claims : "${name} ${client.namespace} ${claim}\n"
  ]]))
}
