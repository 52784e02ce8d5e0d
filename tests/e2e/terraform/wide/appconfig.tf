# One emulator shows a description that was not given as "None", the other shows none that was given.
variable "description" {
  type    = string
  default = null
}

resource "aws_appconfig_application" "orders" {
  name        = "orders-1"
  description = "of ${var.owner}"
}

resource "aws_appconfig_configuration_profile" "flags" {
  application_id = aws_appconfig_application.orders.id
  name           = "flags"
  location_uri   = "hosted"
}

resource "aws_appconfig_hosted_configuration_version" "flags" {
  application_id           = aws_appconfig_application.orders.id
  configuration_profile_id = aws_appconfig_configuration_profile.flags.configuration_profile_id
  description              = var.description
  content_type             = "application/json"
  content                  = jsonencode({ on = true })
}
