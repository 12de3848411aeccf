import {
  to = mira_client.acme
  id = "default/acme"
}
