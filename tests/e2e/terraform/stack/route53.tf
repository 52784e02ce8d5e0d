resource "aws_route53_zone" "shop" {
  name    = "shop.example"
  comment = "the shop"
}

resource "aws_route53_record" "www" {
  zone_id = aws_route53_zone.shop.zone_id
  name    = "www"
  type    = "A"
  ttl     = 60
  records = [var.owner == "nobody" ? "192.0.2.1" : "192.0.2.2"]
}
