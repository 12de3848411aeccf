locals {
  objects = provider::mira::render(
    file("client_template.yaml"), "acme", "admin@acme.example", "mira.example", {},
    { namespace = "mira", allowed_kinds = ["Service", "Ingress", "StatefulSet", "core/ConfigMap"] }
  )
}

output "images" {
  value = {
    for container in local.objects["StatefulSet/mira-acme"].spec.template.spec.containers : container.name => container.image
  }
}

output "address" {
  value = "https://${local.objects["Ingress/mira-acme"].spec.rules[0].host}"
}
