output "welcome" {
  description = "One line for the customer."
  value       = "MIRA is ready at ${mira_client.this.url}; ${var.admin_email} is the administrator."
}

output "persistent_volume_claims" {
  description = "What a backup of this customer has to cover."
  value       = mira_client.this.persistent_volume_claims
}

output "template_revision" {
  description = "Version of the template that the customer follows."
  value       = mira_client.this.template_revision
}
