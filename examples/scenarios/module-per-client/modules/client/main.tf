terraform {
  required_providers {
    mira = {
      source = "mira-cluster/mira"
    }
  }
}

resource "mira_client" "this" {
  name        = var.name
  admin_email = var.admin_email

  # A trial leaves nothing behind; a customer's data outlives the client until somebody deletes the claim.
  delete_data = var.trial
}
