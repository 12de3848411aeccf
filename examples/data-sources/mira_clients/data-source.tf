# Every client of the provider's namespace, whoever has made it.
data "mira_clients" "fleet" {}

# Who does not serve, and why.
output "not_ready" {
  value = {
    for name, client in data.mira_clients.fleet.clients : name => join(": ", compact([client.state, client.reason]))
    if client.state != "ready"
  }
}

# Who is not what the template makes of it, and in what.
output "outdated" {
  value = {
    for name, client in data.mira_clients.fleet.clients : name => concat(client.missing, client.differences)
    if client.up_to_date == false
  }
}

# Clients that no mira_client manages, such as those of the Django controller.
output "strays" {
  value = [for name, client in data.mira_clients.fleet.clients : name if !client.managed]
}

# Data of clients that are gone.
output "orphaned_claims" {
  value = [for claim in data.mira_clients.fleet.orphaned_claims : "${claim.name} (${claim.size})" if !claim.in_use]
}
