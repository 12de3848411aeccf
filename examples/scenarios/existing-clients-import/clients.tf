# What is in the cluster. The guide "Move from the Django controller" has the command that writes this file.
locals {
  clients = {
    "acme"   = { admin_email = "admin@acme.example" }
    "globex" = { admin_email = "it@globex.example" }
  }
}
