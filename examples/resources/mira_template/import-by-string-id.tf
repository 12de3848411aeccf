import {
  to = mira_template.this
  id = "controller/templates-yaml/client_template.yaml"
}
