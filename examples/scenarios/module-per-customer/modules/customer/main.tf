terraform {
  required_version = ">= 1.8"

  required_providers {
    mira = {
      source = "mira-cluster/mira"
    }
  }
}

locals {
  # Those that are null are left out, so that the provider's apply.
  variables = { for name, value in {
    IMAGE_TAG = var.image_tag
    STORAGE   = var.storage
    MEMORY    = var.memory
  } : name => value if value != null }
}

resource "mira_client" "this" {
  name        = var.name
  admin_email = var.admin_email
  variables   = local.variables
  template    = var.template_key == null ? null : { key = var.template_key }

  # A trial leaves nothing behind; a customer's data outlives the client until it is deleted by hand.
  delete_data = var.trial
}
