# A new MIRA version goes to the whole fleet, a few clients at first, and not further than one client if it does not
# come up: that one serves the former version again, and the others have not been touched.
#
#   1. Store the new template:
#        kubectl create configmap templates-yaml -n controller --dry-run=client -o yaml \
#          --from-file=client_template.yaml | kubectl apply --server-side --force-conflicts -f -
#   2. terraform plan      shows what it changes on each client
#   3. terraform apply     rolls it out in waves of 1, 2, 4, ... clients
#   4. If it failed: correct the template, store it, apply again.

terraform {
  required_providers {
    mira = {
      source  = "mira-cluster/mira"
      version = "~> 0.1"
    }
  }
}

provider "mira" {
  rollout = {
    start          = 1
    factor         = 2
    max_concurrent = 20
    max_failures   = 1
    on_failure     = "rollback"
    grace          = "20s" # for a pod that fails
    soak           = "10s" # for which all pods have to stay ready
  }
}

locals {
  clients = {
    acme    = { admin_email = "admin@acme.example" }
    globex  = { admin_email = "it@globex.example" }
    initech = { admin_email = "ops@initech.example" }
  }
}

resource "mira_client" "this" {
  for_each = local.clients

  name        = each.key
  admin_email = each.value.admin_email

  timeouts = {
    update = "15m" # from the moment on in which it is the client's turn
  }
}

output "images" {
  description = "Which images each client runs."
  value       = { for name, client in mira_client.this : name => client.images }
}
