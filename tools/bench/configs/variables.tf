# What every configuration under test is given.

variable "kubeconfig" {
  type = string
}

variable "namespace" {
  type = string
}

variable "cluster_domain" {
  type = string
}

variable "clients" {
  type = number
}

variable "wait" {
  type = bool
}

# A local, not an expression inside for_each: that would be evaluated again for each client.
locals {
  clients = { for i in range(var.clients) : format("c%04d", i) => { admin_email = format("admin@c%04d.example", i) } }
}
