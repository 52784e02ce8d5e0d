# What no recorded call made: the account's own VPC and what belongs to it, by identifier.
data "aws_vpc" "default" {
  default = true
}

data "aws_subnets" "default" {
  filter {
    name   = "vpc-id"
    values = [data.aws_vpc.default.id]
  }
}

data "aws_security_group" "default" {
  vpc_id = data.aws_vpc.default.id
  name   = "default"
}

resource "aws_security_group" "in_default" {
  name        = "in-default"
  description = "in the VPC that was there before"
  vpc_id      = data.aws_vpc.default.id
}

resource "aws_vpc_security_group_ingress_rule" "from_default" {
  security_group_id            = aws_security_group.in_default.id
  referenced_security_group_id = data.aws_security_group.default.id
  from_port                    = 22
  to_port                      = 22
  ip_protocol                  = "tcp"
}

output "default_vpc" {
  value = data.aws_vpc.default.id
}

output "default_subnets" {
  value = sort(data.aws_subnets.default.ids)
}
