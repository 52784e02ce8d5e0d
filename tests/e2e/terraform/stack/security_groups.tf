# Two groups that name each other, once inline and once through rules of their own.
resource "aws_security_group" "front" {
  name        = "front"
  description = "what the world sees"
  vpc_id      = aws_vpc.main.id

  ingress {
    from_port   = 443
    to_port     = 443
    protocol    = "tcp"
    cidr_blocks = ["0.0.0.0/0"]
  }

  egress {
    from_port   = 0
    to_port     = 0
    protocol    = "-1"
    cidr_blocks = ["0.0.0.0/0"]
  }
}

resource "aws_security_group" "back" {
  name_prefix = "back-"
  description = "what the front sees"
  vpc_id      = aws_vpc.main.id
}

resource "aws_vpc_security_group_ingress_rule" "back_from_front" {
  security_group_id            = aws_security_group.back.id
  referenced_security_group_id = aws_security_group.front.id
  from_port                    = 8080
  to_port                      = 8080
  ip_protocol                  = "tcp"
}

resource "aws_vpc_security_group_egress_rule" "back_to_itself" {
  security_group_id            = aws_security_group.back.id
  referenced_security_group_id = aws_security_group.back.id
  from_port                    = 9000
  to_port                      = 9010
  ip_protocol                  = "tcp"
}
