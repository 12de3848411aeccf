# By namespace and name, or by the name alone in the provider's namespace.
terraform import mira_client.acme default/acme
terraform import mira_client.acme acme
