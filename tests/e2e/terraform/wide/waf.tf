resource "aws_wafv2_ip_set" "blocked" {
  name               = "orders-1"
  scope              = "REGIONAL"
  ip_address_version = "IPV4"
  addresses          = [var.owner == "nobody" ? "10.1.0.0/16" : "10.2.0.0/16"]
}

resource "aws_wafv2_web_acl" "orders" {
  name        = "orders-1"
  scope       = "REGIONAL"
  description = "of orders"

  default_action {
    allow {}
  }

  rule {
    name     = "blocked"
    priority = 1

    action {
      block {}
    }

    statement {
      ip_set_reference_statement {
        arn = aws_wafv2_ip_set.blocked.arn
      }
    }

    visibility_config {
      cloudwatch_metrics_enabled = false
      metric_name                = "blocked"
      sampled_requests_enabled   = false
    }
  }

  visibility_config {
    cloudwatch_metrics_enabled = false
    metric_name                = replace(var.owner, " ", "-")
    sampled_requests_enabled   = false
  }
}
