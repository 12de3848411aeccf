# The template that the provider's `template` names, whoever has written it.
data "mira_template" "current" {}

output "current_template" {
  value = {
    revision     = data.mira_template.current.revision
    placeholders = data.mira_template.current.placeholders
  }
}
