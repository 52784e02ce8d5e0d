resource "aws_cognito_user_pool" "people" {
  name = "orders-1"
}

resource "aws_cognito_user_pool_client" "web" {
  name            = "orders-1"
  user_pool_id    = aws_cognito_user_pool.people.id
  generate_secret = true
}

output "client_secret" {
  value     = aws_cognito_user_pool_client.web.client_secret
  sensitive = true
}
