resource "aws_kms_key" "main" {
  description         = "for the secrets of ${var.owner}"
  enable_key_rotation = true
}

resource "aws_kms_alias" "main" {
  name          = "alias/main"
  target_key_id = aws_kms_key.main.key_id
}
