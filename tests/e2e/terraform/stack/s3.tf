resource "aws_s3_bucket" "archive" {
  bucket = "archive"
}

resource "aws_s3_bucket_versioning" "archive" {
  bucket = aws_s3_bucket.archive.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_policy" "archive" {
  bucket = aws_s3_bucket.archive.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = "${aws_s3_bucket.archive.arn}/sealed/*"
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })
}

resource "aws_s3_bucket_lifecycle_configuration" "archive" {
  bucket = aws_s3_bucket.archive.id

  rule {
    id     = "old"
    status = "Enabled"

    filter {
      prefix = "old/"
    }

    expiration {
      days = 30
    }
  }
}

resource "aws_s3_bucket_public_access_block" "archive" {
  bucket              = aws_s3_bucket.archive.id
  block_public_acls   = true
  block_public_policy = true
}

resource "aws_s3_object" "readme" {
  bucket  = aws_s3_bucket.archive.id
  key     = "notes/read me.txt"
  content = "a vpc-0123456789abcdef0 in a payload is content, not an identifier\n"

  depends_on = [aws_s3_bucket_versioning.archive]
}
