resource "aws_vpc" "six" {
  cidr_block                       = "10.31.0.0/16"
  assign_generated_ipv6_cidr_block = true
}

output "ipv6" {
  value = aws_vpc.six.ipv6_cidr_block
}
