resource "aws_sfn_activity" "check" {
  name = "check"
}
