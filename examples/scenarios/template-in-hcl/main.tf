# The template lies beside the configuration, and a new version of MIRA is a change of that file: one plan shows it, and what it
# changes on every client; one apply ships it. A fleet of the Django controller comes to this without a pod restarted:
#
#   1. Let the account write the ConfigMap: kubectl apply -f examples/rbac/template-writer.yaml
#   2. Get the template that the clients were made from:
#        kubectl get configmap templates-yaml -n controller -o jsonpath='{.data.client_template\.yaml}' > client_template.yaml
#   3. terraform apply                     takes over the ConfigMap and the clients, and changes nothing that runs
#   4. Edit client_template.yaml, and terraform apply again.

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
    acme   = "admin@acme.example"
    globex = "it@globex.example"
  }
}

resource "mira_template" "this" {
  content = file("${path.module}/client_template.yaml")
}

resource "mira_client" "this" {
  for_each = local.clients

  name        = each.key
  admin_email = each.value
  template    = { revision = mira_template.this.revision }
}

output "template_revision" {
  value = mira_template.this.revision
}
