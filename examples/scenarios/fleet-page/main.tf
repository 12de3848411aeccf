# An overview of the fleet, as a Markdown table and as a page that a browser shows. It changes nothing in the cluster.
#
#   terraform apply
#   terraform output -raw fleet_markdown
#   terraform output -raw fleet_html > fleet.html
#
# The page needs no network. Run it after each release or every night, and put the page where operators look.

terraform {
  required_providers {
    mira = {
      source  = "mira-cluster/mira"
      version = "~> 0.1"
    }
  }
}

provider "mira" {}

data "mira_clients" "fleet" {}

locals {
  fleet   = data.mira_clients.fleet
  clients = local.fleet.clients

  # One row for each client. Nothing is escaped yet.
  rows = {
    for name, client in local.clients : name => {
      name        = name
      email       = client.admin_email == null ? "" : client.admin_email
      url         = client.url == null ? "" : client.url
      state       = client.state
      reason      = client.reason == null ? "" : client.reason
      ready       = client.replicas == null ? "" : "${client.ready_replicas}/${client.replicas}"
      images      = join(", ", sort(values(client.images)))
      template    = client.up_to_date == null ? "not known" : client.up_to_date ? "current" : "outdated"
      differences = join(", ", client.missing == null ? [] : concat([for key in client.missing : "${key} is missing"], client.differences))
      managed     = client.managed ? "yes" : "no"
      claims      = join(", ", try([for claim in client.persistent_volume_claims : "${claim.name} ${claim.size} ${claim.phase}"], []))
    }
  }
  orphans = try([
    for claim in local.fleet.orphaned_claims : {
      name   = claim.name
      client = claim.client == null ? "" : claim.client
      size   = claim.size
      phase  = claim.phase
      use    = claim.in_use ? "a pod mounts it" : "nobody uses it"
    }
  ], []) # not known without the right to list claims

  # Texts come from the cluster: none of them may become a part of the page or of the table.
  html_rows = {
    for name, row in local.rows : name => {
      for key, text in row : key => replace(replace(replace(replace(text, "&", "&amp;"), "<", "&lt;"), ">", "&gt;"), "\"", "&quot;")
    }
  }
  html_orphans = [
    for row in local.orphans : {
      for key, text in row : key => replace(replace(replace(replace(text, "&", "&amp;"), "<", "&lt;"), ">", "&gt;"), "\"", "&quot;")
    }
  ]
  markdown_rows = {
    for name, row in local.rows : name => {
      for key, text in row : key => replace(replace(replace(text, "/\\s+/", " "), "<", "&lt;"), "|", "\\|")
    }
  }

  states = { for state in ["failing", "progressing", "absent", "stopped", "ready"] : state => length([for c in local.clients : c if c.state == state]) }
}

output "fleet_markdown" {
  value = join("\n", concat(
    [
      "| client | state | ready | images | template | managed | claims |",
      "|---|---|---|---|---|---|---|",
    ],
    [
      for name, row in local.markdown_rows : format("| %s | %s | %s | %s | %s | %s | %s |",
        row.url == "" ? row.name : "[${row.name}](${row.url})",
        row.reason == "" ? row.state : "${row.state}: ${row.reason}",
        row.ready, row.images,
        row.differences == "" ? row.template : "${row.template}: ${row.differences}",
      row.managed, row.claims)
    ],
  ))
}

output "fleet_html" {
  value = templatefile("${path.module}/fleet.html.tftpl", {
    rows     = local.html_rows
    orphans  = local.html_orphans
    states   = { for state, count in local.states : state => count if count > 0 }
    outdated = length([for row in local.rows : row if row.template == "outdated"])
    revision = local.fleet.template_revision == null ? "not known" : local.fleet.template_revision
    place    = local.fleet.namespace
  })
}
