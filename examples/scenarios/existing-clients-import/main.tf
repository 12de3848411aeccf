# Clients that the Django controller made come under Terraform: one import block for all of them. The first plan shows
# the imports and the ownership labels they get, and no restart. Once it is applied the import block may go.

terraform {
  # for_each in import blocks.
  required_version = ">= 1.7"

  required_providers {
    mira = {
      source  = "mira-cluster/mira"
      version = "~> 0.1"
    }
  }
}

provider "mira" {}

locals {
  namespace = "default"
}

import {
  for_each = local.clients

  to = mira_client.this[each.key]
  id = "${local.namespace}/${each.key}"
}

resource "mira_client" "this" {
  for_each = local.clients

  name        = each.key
  admin_email = each.value.admin_email
}
