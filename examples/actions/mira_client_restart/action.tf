# terraform apply -invoke=action.mira_client_restart.acme
action "mira_client_restart" "acme" {
  config {
    name = mira_client.acme.name
  }
}

# All clients: terraform apply -invoke=action.mira_client_restart.all
action "mira_client_restart" "all" {
  for_each = toset([mira_client.acme.name, mira_client.trial.name])

  config {
    name    = each.key
    timeout = "15m"
  }
}

# Restarts the client whenever the secret has another version: its pods read it when they start.
resource "terraform_data" "secret_version" {
  input = "2026-11-26"

  lifecycle {
    action_trigger {
      events  = [after_update]
      actions = [action.mira_client_restart.acme]
    }
  }
}
