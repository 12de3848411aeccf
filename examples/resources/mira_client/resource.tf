resource "mira_client" "acme" {
  name        = "acme"
  admin_email = "admin@acme.example"
}

# A trial: its data goes with it, and a slow start is tolerated.
resource "mira_client" "trial" {
  name        = "trial"
  admin_email = "sales@mira.example"
  delete_data = true

  timeouts = {
    create = "20m"
    update = "20m"
  }
}

output "acme" {
  value = {
    url    = mira_client.acme.url
    images = mira_client.acme.images
  }
}
