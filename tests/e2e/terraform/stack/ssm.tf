resource "aws_ssm_parameter" "plain" {
  name        = "/app/vpc"
  description = "of ${var.owner}"
  type        = "String"
  value       = aws_vpc.main.id
}

resource "aws_ssm_parameter" "sealed" {
  name   = "/app/token"
  type   = "SecureString"
  key_id = aws_kms_key.main.key_id
  value  = "s3cr3t"
}
