# One module per customer: what belongs to a customer besides MIRA (DNS, billing, backups) goes into the module, what
# differs between customers into its variables. The template has the placeholders %IMAGE_TAG%, %STORAGE% and %MEMORY%:
# client_template.yaml beside this file.
# How a new template reaches the canaries first: README.md.

terraform {
  required_providers {
    mira = {
      source  = "mira-cluster/mira"
      version = "~> 0.1"
    }
  }
}

provider "mira" {
  variables = { # of every customer that has no others
    IMAGE_TAG = "3.0"
    STORAGE   = "5Gi"
    MEMORY    = "1Gi"
  }
}

variable "candidate" {
  description = "Key of the template that the canaries follow; null while there is none."
  type        = string
  default     = null
}

locals {
  customers = {
    acme    = { contact = "admin@acme.example", canary = true }
    globex  = { contact = "it@globex.example", storage = "20Gi", memory = "2Gi" }
    initech = { contact = "ops@initech.example", image_tag = "3.0-hotfix", trial = true }
  }
}

module "customer" {
  source   = "./modules/customer"
  for_each = local.customers

  name         = each.key
  admin_email  = each.value.contact
  image_tag    = try(each.value.image_tag, null)
  storage      = try(each.value.storage, null)
  memory       = try(each.value.memory, null)
  trial        = try(each.value.trial, false)
  template_key = try(each.value.canary, false) ? var.candidate : null
}

output "customers" {
  description = "What to tell each customer."
  value       = { for name, customer in module.customer : name => customer.welcome }
}

output "template_revisions" {
  description = "Which version of the template each customer follows."
  value       = { for name, customer in module.customer : name => customer.template_revision }
}
