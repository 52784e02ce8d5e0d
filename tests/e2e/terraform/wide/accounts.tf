# The same names in another account.
resource "aws_sqs_queue" "other" {
  provider = aws.other
  name     = "orders-1"
}

resource "aws_iam_role" "other" {
  provider = aws.other
  name     = "orders-1"

  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "ec2.amazonaws.com" } }]
  })
}

resource "aws_ssm_parameter" "other" {
  provider    = aws.other
  name        = "orders-1"
  type        = "String"
  value       = aws_sqs_queue.other.arn
  description = "of ${var.owner}"
}

output "other" {
  value = [aws_sqs_queue.other.arn, aws_iam_role.other.arn]
}
