# The same in each account and region, under the same names where AWS allows that.

terraform {
  required_providers {
    aws = {
      source = "hashicorp/aws"
    }
  }
}

variable "owner" { type = string }
variable "name" { type = string }

data "aws_caller_identity" "here" {}

resource "aws_sqs_queue" "jobs" {
  name = "jobs"
  tags = { owner = var.owner }
}

resource "aws_sns_topic" "events" {
  name = "events"
  tags = { place = var.name }
}

resource "aws_sns_topic_subscription" "jobs" {
  topic_arn = aws_sns_topic.events.arn
  protocol  = "sqs"
  endpoint  = aws_sqs_queue.jobs.arn
}

resource "aws_ssm_parameter" "owner" {
  name  = "/app/owner"
  type  = "String"
  value = "${var.name}-${var.owner}"
}

resource "aws_s3_bucket" "files" {
  bucket = "files-of-${var.name}"
}

resource "aws_kms_key" "key" {
  description = var.name
}

resource "aws_vpc" "net" {
  cidr_block = "10.7.0.0/16"
  tags       = { place = var.name }
}

output "account" {
  value = data.aws_caller_identity.here.account_id
}
