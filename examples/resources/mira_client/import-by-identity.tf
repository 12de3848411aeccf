import {
  to = mira_client.acme
  identity = {
    namespace = "default"
    name      = "acme"
  }
}
