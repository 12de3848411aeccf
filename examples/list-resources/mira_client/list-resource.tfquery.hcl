# terraform query lists the clients that no mira_client manages yet.
# terraform query -generate-config-out=clients.tf writes resources and import blocks for them.
list "mira_client" "unmanaged" {
  provider = mira
  limit    = 1000 # the CLI's default is 100

  config {
    managed = false
  }
}
