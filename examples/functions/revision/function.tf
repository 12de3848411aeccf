resource "mira_client" "pinned" {
  name        = "pinned"
  admin_email = "admin@pinned.example"

  # The apply fails, and changes nothing, where the cluster has another template than this file.
  template = { revision = provider::mira::revision(file("client_template.yaml")) }
}
