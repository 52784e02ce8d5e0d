# Two accounts and two regions, with things of one name in each of them.

terraform {
  required_providers {
    aws = {
      source = "hashicorp/aws"
    }
  }
}

variable "owner" {
  type    = string
  default = "a"
}

provider "aws" {
  region                      = "us-east-1"
  s3_use_path_style           = true
  skip_credentials_validation = true
}

provider "aws" {
  alias                       = "west"
  region                      = "eu-west-1"
  s3_use_path_style           = true
  skip_credentials_validation = true
}

provider "aws" {
  alias             = "other"
  region            = "us-east-1"
  s3_use_path_style = true
  assume_role {
    role_arn     = "arn:aws:iam::222222222222:role/deploy"
    session_name = "deploy"
  }
}

provider "aws" {
  alias             = "other_west"
  region            = "eu-west-1"
  s3_use_path_style = true
  assume_role {
    role_arn     = "arn:aws:iam::222222222222:role/deploy"
    session_name = "deploy"
  }
}

module "home" {
  source = "./place"
  owner  = var.owner
  name   = "home"
}

module "west" {
  source    = "./place"
  owner     = var.owner
  name      = "west"
  providers = { aws = aws.west }
}

module "other" {
  source    = "./place"
  owner     = var.owner
  name      = "other"
  providers = { aws = aws.other }
}

module "other_west" {
  source    = "./place"
  owner     = var.owner
  name      = "other-west"
  providers = { aws = aws.other_west }
}

output "accounts" {
  value = [module.home.account, module.other.account]
}
