resource "mira_template" "this" {
  content = file("${path.module}/client_template.yaml")
}

# A client that refers to the revision is planned with the template: one plan shows the change of both.
resource "mira_client" "globex" {
  name        = "globex"
  admin_email = "it@globex.example"
  template    = { revision = mira_template.this.revision }
}

output "template" {
  value = {
    revision     = mira_template.this.revision
    placeholders = mira_template.this.placeholders
  }
}
