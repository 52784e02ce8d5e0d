# Two regions and two accounts, and services whose updates name what an earlier answer gave out.
terraform {
  required_providers {
    aws = {
      source = "hashicorp/aws"
    }
  }
}

# Changed between two restarts.
variable "owner" {
  type    = string
  default = "nobody"
}

# How the other account is reached: by an access key that says it, or by a role to assume.
variable "other_key" {
  type    = string
  default = "test"
}

variable "other_role" {
  type    = string
  default = ""
}

provider "aws" {
  region                      = "us-east-1"
  max_retries                 = 4
  s3_use_path_style           = true
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_region_validation      = true
}

provider "aws" {
  alias                       = "west"
  region                      = "eu-west-1"
  max_retries                 = 4
  s3_use_path_style           = true
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_region_validation      = true
}

provider "aws" {
  alias                       = "other"
  region                      = "us-east-1"
  access_key                  = var.other_key
  secret_key                  = "test"
  max_retries                 = 4
  s3_use_path_style           = true
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_region_validation      = true

  dynamic "assume_role" {
    for_each = var.other_role == "" ? [] : [var.other_role]
    content {
      role_arn     = assume_role.value
      session_name = "terraform"
    }
  }
}

resource "aws_vpc" "main" {
  cidr_block = "10.30.0.0/16"
}
