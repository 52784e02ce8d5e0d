resource "aws_sfn_state_machine" "flow" {
  name     = "flow"
  role_arn = aws_iam_role.machine.arn
  definition = jsonencode({
    StartAt = "Work"
    States = {
      Work = { Type = "Task", Resource = aws_lambda_function.worker.arn, Next = "Done" }
      Done = { Type = "Succeed" }
    }
  })
}
