import {
  to = mira_template.this
  identity = {
    namespace  = "controller"
    config_map = "templates-yaml"
    key        = "client_template.yaml"
  }
}
