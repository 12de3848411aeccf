# A fleet comes under Terraform or OpenTofu in bulk: the data source finds the clients, those of the Django
# controller included, and one import block takes them all. Read the plan, apply it, and write down what was found, so that from then on the configuration
# says which clients there are, and not the cluster:
#
#   terraform apply
#   terraform output -json fleet > fleet.auto.tfvars.json

terraform {
  # for_each in import blocks. OpenTofu has it from 1.9 on.
  required_version = ">= 1.7"

  required_providers {
    mira = {
      source  = "mira-cluster/mira"
      version = "~> 0.1"
    }
  }
}

provider "mira" {}

# The fleet, once it was written down.
variable "clients" {
  type = map(object({
    admin_email = string
    variables   = optional(map(string))
  }))
  default = null
}

data "mira_clients" "found" {}

locals {
  # Half-made clients, and those whose objects do not tell an e-mail address, are left out: look at them first.
  found = {
    for name, client in data.mira_clients.found.clients :
    name => {
      admin_email = client.admin_email
      variables   = try(length(client.variables), 0) > 0 ? client.variables : null
    }
    if client.admin_email != null && client.state != "absent"
  }

  clients = var.clients == null ? local.found : var.clients
}

import {
  for_each = var.clients == null ? local.found : {}

  to = mira_client.this[each.key]
  id = each.key
}

resource "mira_client" "this" {
  for_each = local.clients

  name        = each.key
  admin_email = each.value.admin_email
  variables   = each.value.variables
}

output "fleet" {
  value = {
    clients = {
      for name, client in local.clients : name => { for key, value in client : key => value if value != null }
    }
  }
}

output "left_out" {
  description = "Clients that are in the cluster and not in the configuration."
  value       = sort(setsubtract(keys(data.mira_clients.found.clients), keys(local.clients)))
}
