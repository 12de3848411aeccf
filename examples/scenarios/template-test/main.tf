# The client template is tested in CI before it is stored in the cluster. That needs no cluster, no state and no
# credentials, and takes seconds:
#
#   terraform init
#   terraform test -var template_file=client_template.yaml     (or: tofu test ...)
#
# A template that does not render fails every test, with the line that is at fault. What else must hold for your clients
# stands here as preconditions and in tests/*.tftest.hcl as assertions.

terraform {
  required_version = ">= 1.8" # the first with functions of providers

  required_providers {
    mira = {
      source  = "mira-cluster/mira"
      version = "~> 0.1"
    }
  }
}

variable "template_file" {
  description = "The template to test."
  type        = string
  default     = "client_template.yaml"
}

variable "clients" {
  description = "Administrators' addresses by the names of clients that the template is rendered for."
  type        = map(string)
  default = {
    acme                                     = "admin@acme.example"
    "123"                                    = "o'brien+mira@digits.example"
    a-name-of-as-many-characters-as-allowed1 = "admin@long.example"
  }
}

variable "images" {
  description = "What images may begin with."
  type        = list(string)
  default     = ["mira:", "caddy:"]
}

locals {
  template = file(var.template_file)

  objects = {
    for name, admin_email in var.clients : name => provider::mira::render(local.template, name, admin_email, "mira.example", {})
  }
  images = distinct(flatten([
    for name, objects in local.objects : objects["StatefulSet/mira-${name}"].spec.template.spec.containers[*].image
  ]))
}

output "objects" {
  description = "The objects of each client."
  value       = local.objects
}

output "images" {
  description = "The images that clients run."
  value       = local.images

  precondition {
    condition     = alltrue([for image in local.images : anytrue([for prefix in var.images : startswith(image, prefix)])])
    error_message = "Images must begin with ${join(" or ", var.images)}; the template has ${join(", ", local.images)}."
  }
}

output "revision" {
  description = "What a client that is pinned to this template has as its revision."
  value       = provider::mira::revision(local.template)
}
