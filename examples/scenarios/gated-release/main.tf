# A release reaches the canaries, their health is asked for, and only then it reaches the fleet, all in one apply: README.md.

terraform {
  required_providers {
    mira = {
      source  = "mira-cluster/mira"
      version = "~> 0.1"
    }
    http = {
      source  = "hashicorp/http"
      version = "~> 3.4"
    }
  }
}

provider "mira" {
  rollout = { soak = "1m" } # how long the canaries run before they are asked
}

variable "gate" {
  description = "Whether the fleet waits for healthy canaries. Set it to false to get out of a release without asking them."
  type        = bool
  default     = true
}

variable "health_url" {
  description = "Where a canary says how it is, with {name} for its name; null for /healthz at its own address."
  type        = string
  default     = null
}

variable "prometheus" {
  description = "A Prometheus, and a query that returns nothing while the canaries are well; null to ask none."
  type        = object({ url = string, query = string })
  default     = null
}

locals {
  canaries = {
    acme = { admin_email = "admin@acme.example" }
  }
  fleet = {
    globex  = { admin_email = "it@globex.example" }
    initech = { admin_email = "ops@initech.example" }
  }
}

resource "mira_client" "canary" {
  for_each = local.canaries

  name        = each.key
  admin_email = each.value.admin_email
}

# Because of depends_on it is read after the canaries have changed, where they change, and while planning where they do not.
data "http" "canary" {
  for_each   = var.gate ? local.canaries : {}
  depends_on = [mira_client.canary]

  url                = var.health_url == null ? "${mira_client.canary[each.key].url}/healthz" : replace(var.health_url, "{name}", each.key)
  request_timeout_ms = 10000

  # Of requests that get no answer, or one of 500 and more.
  retry {
    attempts     = 5
    min_delay_ms = 5000
    max_delay_ms = 30000
  }

  lifecycle {
    postcondition {
      condition     = self.status_code == 200
      error_message = "Canary ${each.key} is not well: ${self.url} answers ${self.status_code}. The fleet stays as it is."
    }
  }
}

data "http" "prometheus" {
  count      = var.gate && var.prometheus != null ? 1 : 0
  depends_on = [data.http.canary]

  url                = "${var.prometheus.url}/api/v1/query?query=${urlencode(var.prometheus.query)}"
  request_timeout_ms = 10000

  lifecycle {
    postcondition {
      condition     = self.status_code == 200 && try(length(jsondecode(self.response_body).data.result) == 0, false)
      error_message = "Prometheus says that the canaries are not well: ${self.response_body}. The fleet stays as it is."
    }
  }
}

resource "mira_client" "fleet" {
  for_each   = local.fleet
  depends_on = [data.http.canary, data.http.prometheus]

  name        = each.key
  admin_email = each.value.admin_email
}
