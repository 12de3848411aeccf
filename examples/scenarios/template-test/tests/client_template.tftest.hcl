run "each_client_has_an_address_of_its_own" {
  command = plan

  assert {
    condition = alltrue([
      for name, objects in output.objects : objects["Ingress/mira-${name}"].spec.rules[0].host == "${name}.mira.example"
    ])
    error_message = "The host of an Ingress is not that of its client."
  }
}

run "a_service_finds_the_pods_of_its_client_alone" {
  command = plan

  assert {
    condition = alltrue([
      for name, objects in output.objects : try(objects["Service/mira-${name}"].spec.selector.client, "") == name &&
      try(objects["StatefulSet/mira-${name}"].spec.template.metadata.labels.client, "") == name
    ])
    error_message = "The Service of a client must select the label client, with the client's name, and its pods must have it."
  }
}

run "pods_may_not_take_all_memory" {
  command = plan

  assert {
    condition = alltrue(flatten([
      for name, objects in output.objects : [
        for container in objects["StatefulSet/mira-${name}"].spec.template.spec.containers :
        can(container.resources.limits.memory)
      ]
    ]))
    error_message = "A container has no limit of its memory."
  }
}

# The check of the images is a precondition, so that every plan of this configuration has it. This run proves that it
# refuses something.
run "an_image_from_elsewhere_is_refused" {
  command = plan

  variables {
    images = ["registry.example/"]
  }

  expect_failures = [output.images]
}
