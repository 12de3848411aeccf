terraform {
  required_providers {
    mira = {
      source  = "mira-cluster/mira"
      version = "~> 0.1"
    }
  }
}

# The cluster is the one of KUBECONFIG, the cluster domain the one of the settings ConfigMap.
provider "mira" {
  namespace = "default"

  template = {
    namespace  = "controller"
    config_map = "templates-yaml"
    key        = "client_template.yaml"
  }
}
