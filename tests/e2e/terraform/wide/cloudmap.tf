resource "aws_service_discovery_http_namespace" "plain" {
  name        = "orders-1"
  description = "of ${var.owner}"
}

resource "aws_service_discovery_private_dns_namespace" "inside" {
  name = "orders.local"
  vpc  = aws_vpc.main.id
}

resource "aws_service_discovery_service" "orders" {
  name         = "orders-1"
  namespace_id = aws_service_discovery_private_dns_namespace.inside.id

  dns_config {
    namespace_id = aws_service_discovery_private_dns_namespace.inside.id

    dns_records {
      ttl  = 10
      type = "A"
    }
  }
}
