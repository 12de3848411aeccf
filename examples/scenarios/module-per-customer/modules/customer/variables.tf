variable "name" {
  description = "Name of the customer in host names and object names."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?$", var.name))
    error_message = "A name has at most 40 lower case letters, digits and hyphens, and begins and ends with a letter or a digit."
  }
}

variable "admin_email" {
  description = "Address of the customer's first administrator."
  type        = string

  validation {
    condition     = can(regex("^[^@\\s]+@[^@\\s]+$", var.admin_email))
    error_message = "The address of the administrator needs an @ between two parts without spaces."
  }
}

variable "image_tag" {
  description = "Version of MIRA that the customer runs; null for that of all customers."
  type        = string
  default     = null

  validation {
    condition     = var.image_tag == null || can(regex("^[A-Za-z0-9_][-A-Za-z0-9_.]{0,127}$", var.image_tag))
    error_message = "The tag of an image has letters, digits, underscores, dots and hyphens, such as 3.0-hotfix."
  }
}

variable "storage" {
  description = "Size of the customer's volume, such as 20Gi; null for that of all customers. It can grow, and never shrink."
  type        = string
  default     = null

  validation {
    condition     = var.storage == null || can(regex("^[1-9][0-9]*(Mi|Gi|Ti)$", var.storage))
    error_message = "The size of a volume is a whole number of Mi, Gi or Ti, such as 20Gi."
  }
}

variable "memory" {
  description = "Limit of the memory of the customer's pod, such as 2Gi; null for that of all customers."
  type        = string
  default     = null

  validation {
    condition     = var.memory == null || can(regex("^[1-9][0-9]*(Mi|Gi)$", var.memory))
    error_message = "A limit of memory is a whole number of Mi or Gi, such as 2Gi."
  }
}

variable "template_key" {
  description = "Key of the template that the customer follows; null for that of all customers."
  type        = string
  default     = null
}

variable "trial" {
  description = "Whether the data is deleted together with the client."
  type        = bool
  default     = false
}
