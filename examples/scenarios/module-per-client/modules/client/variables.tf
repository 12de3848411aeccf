variable "name" {
  description = "Name of the customer in host names and object names."
  type        = string
}

variable "admin_email" {
  description = "Address of the customer's first administrator."
  type        = string
}

variable "trial" {
  description = "Whether the data is deleted together with the client."
  type        = bool
  default     = false
}
