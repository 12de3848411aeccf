# What configurations of other providers are given besides: the template's objects as YAML by kind, with placeholders, and
# one key for each object of each client.

locals {
  documents = jsondecode(file("${path.module}/documents.json"))
  objects = merge([
    for kind in keys(local.documents) : {
      for client in keys(local.clients) : "${client}/${kind}" => { client = client, kind = kind }
    }
  ]...)
}
