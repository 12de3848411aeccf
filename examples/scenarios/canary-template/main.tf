# A new version of the template reaches some clients first. Without a candidate every client follows the current
# template:
#
#   1. Store the new template beside the current one, under a key of its own:
#        kubectl create configmap templates-yaml -n controller --dry-run=client -o yaml \
#          --from-file=client_template.yaml --from-file=client_template_next.yaml |
#          kubectl apply --server-side --force-conflicts -f -
#   2. terraform apply -var candidate=client_template_next.yaml     changes the canaries alone
#   3. Store it under client_template.yaml, apply without -var: the canaries stay as they are, the others follow.

terraform {
  required_providers {
    mira = {
      source  = "mira-cluster/mira"
      version = "~> 0.1"
    }
  }
}

provider "mira" {}

variable "candidate" {
  description = "Key of the template that the canaries follow; null while there is none."
  type        = string
  default     = null
}

locals {
  clients = {
    acme    = { admin_email = "admin@acme.example", canary = true }
    globex  = { admin_email = "it@globex.example", canary = false }
    initech = { admin_email = "ops@initech.example", canary = false }
  }
}

resource "mira_client" "this" {
  for_each = local.clients

  name        = each.key
  admin_email = each.value.admin_email
  template    = each.value.canary && var.candidate != null ? { key = var.candidate } : null
}

output "template_revisions" {
  description = "Which version of the template each client follows."
  value       = { for name, client in mira_client.this : name => client.template_revision }
}
