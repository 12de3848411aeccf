data "mira_client" "acme" {
  name = "acme"
}

output "acme" {
  value = {
    url    = data.mira_client.acme.url
    state  = data.mira_client.acme.state
    images = data.mira_client.acme.images
    claims = data.mira_client.acme.persistent_volume_claims[*].name
  }
}
