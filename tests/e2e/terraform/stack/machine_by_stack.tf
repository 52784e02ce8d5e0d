# A state machine that the emulator's CloudFormation makes, so that Terraform does not validate its definition.
resource "aws_cloudformation_stack" "machine" {
  name = "machine"
  template_body = jsonencode({
    Resources = {
      Flow = {
        Type = "AWS::StepFunctions::StateMachine"
        Properties = {
          StateMachineName = "stacked"
          RoleArn          = aws_iam_role.machine.arn
          DefinitionString = jsonencode({ StartAt = "Done", States = { Done = { Type = "Succeed" } } })
        }
      }
    }
    Outputs = {
      Flow = { Value = { Ref = "Flow" } }
    }
  })
}
