resource "aws_lb" "front" {
  name            = "front"
  internal        = true
  security_groups = [aws_security_group.front.id]
  subnets         = [aws_subnet.public.id, aws_subnet.private.id]
}

resource "aws_lb_target_group" "workers" {
  name     = "workers"
  port     = 8080
  protocol = "HTTP"
  vpc_id   = aws_vpc.main.id
}

resource "aws_lb_listener" "http" {
  load_balancer_arn = aws_lb.front.arn
  port              = 80
  protocol          = "HTTP"

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.workers.arn
  }
}
