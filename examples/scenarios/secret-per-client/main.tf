# Each client has a database password of its own, which no plan, no state and no plan file has. Pass the passwords to each
# plan and each apply, as in TF_VAR_database_passwords='{"acme":"...","globex":"..."}', from where you keep them. The template
# has %DATABASE_PASSWORD%. Needs Terraform 1.11 or OpenTofu 1.11.

terraform {
  required_providers {
    mira = {
      source  = "mira-cluster/mira"
      version = "~> 0.1"
    }
  }
}

provider "mira" {}

variable "database_passwords" {
  description = "The password of each client's database, by the client's name."
  type        = map(string)
  ephemeral   = true
}

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

  secret_variables = {
    DATABASE_PASSWORD = var.database_passwords[each.key]
  }
}
