# The same names in two regions.
resource "aws_sqs_queue" "here" {
  name = "orders-1"
}

resource "aws_sqs_queue" "there" {
  provider                   = aws.west
  name                       = "orders-1"
  visibility_timeout_seconds = var.owner == "nobody" ? 40 : 41
}

resource "aws_sns_topic" "there" {
  provider = aws.west
  name     = "orders-1"
}

resource "aws_sns_topic_subscription" "there" {
  provider  = aws.west
  topic_arn = aws_sns_topic.there.arn
  protocol  = "sqs"
  endpoint  = aws_sqs_queue.there.arn
}

resource "aws_vpc" "there" {
  provider   = aws.west
  cidr_block = "10.32.0.0/16"
}

resource "aws_s3_bucket" "there" {
  provider = aws.west
  bucket   = "orders-there-1"
}

output "queues" {
  value = [aws_sqs_queue.here.url, aws_sqs_queue.there.url]
}
