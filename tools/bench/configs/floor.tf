# The floor: what the CLI takes for as many resources that no provider process serves.

locals {
  value = file("${path.module}/value.txt")
}

resource "terraform_data" "this" {
  for_each = local.clients

  input = local.value
}
