clusters = {
  europe  = { kubeconfig = "~/.kube/europe", cluster_domain = "eu.mira.example" }
  america = { kubeconfig = "~/.kube/america", cluster_domain = "us.mira.example" }
}
