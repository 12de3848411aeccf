# One module per customer: what belongs to a customer besides MIRA (DNS, billing, backups) goes into the module, what
# differs between customers into its variables.

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
  customers = {
    acme   = { contact = "admin@acme.example" }
    globex = { contact = "it@globex.example", trial = true }
  }
}

module "customer" {
  source   = "./modules/client"
  for_each = local.customers

  name        = each.key
  admin_email = each.value.contact
  trial       = try(each.value.trial, false)
}

output "customers" {
  description = "What to tell each customer."
  value       = { for name, customer in module.customer : name => customer.welcome }
}
