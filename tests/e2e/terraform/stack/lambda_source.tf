resource "aws_lambda_event_source_mapping" "ordered" {
  event_source_arn = aws_sqs_queue.ordered.arn
  function_name    = aws_lambda_function.worker.arn
  batch_size       = 5
}
