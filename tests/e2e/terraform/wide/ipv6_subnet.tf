resource "aws_subnet" "six" {
  vpc_id          = aws_vpc.six.id
  cidr_block      = "10.31.1.0/24"
  ipv6_cidr_block = cidrsubnet(aws_vpc.six.ipv6_cidr_block, 8, 1)
}

output "ipv6_subnet" {
  value = aws_subnet.six.ipv6_cidr_block
}
