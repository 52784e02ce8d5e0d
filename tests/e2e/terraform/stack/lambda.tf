variable "function_zip" {
  type = string
}

resource "aws_lambda_function" "worker" {
  function_name    = "worker"
  role             = aws_iam_role.function.arn
  runtime          = "python3.12"
  handler          = "worker.handle"
  filename         = var.function_zip
  source_code_hash = filebase64sha256(var.function_zip)
  publish          = true

  environment {
    variables = {
      QUEUE = aws_sqs_queue.orders.url
      TOPIC = aws_sns_topic.events.arn
    }
  }
}

resource "aws_lambda_alias" "live" {
  name             = "live"
  function_name    = aws_lambda_function.worker.function_name
  function_version = aws_lambda_function.worker.version
}

resource "aws_lambda_permission" "topic" {
  statement_id  = "topic"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.worker.function_name
  principal     = "sns.amazonaws.com"
  source_arn    = aws_sns_topic.events.arn
}
