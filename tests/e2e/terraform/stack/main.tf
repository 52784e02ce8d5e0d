# The endpoint and the credentials come from the environment (AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, ...).
terraform {
  required_providers {
    aws = {
      source = "hashicorp/aws"
    }
  }
}

# Changed between two restarts, so that resources are updated by the identifiers of an earlier life of the emulator.
variable "owner" {
  type    = string
  default = "nobody"
}

provider "aws" {
  region                      = "us-east-1"
  max_retries                 = 4
  s3_use_path_style           = true
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_region_validation      = true

  default_tags {
    tags = {
      stack = "replay"
    }
  }
}

# Names the caller's account: an emulator's own constant, which must stay the same, too.
data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}
