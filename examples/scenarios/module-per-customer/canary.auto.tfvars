# The key of the template that the canaries follow: "client_template_next.yaml" while a new one is tried.
candidate = null
