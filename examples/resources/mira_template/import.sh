# By namespace, ConfigMap and key.
terraform import mira_template.this controller/templates-yaml/client_template.yaml
