"""nginx as a server of fixed answers, where it is installed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path


def nginx_command(port: int, scratch: Path, answers: dict[str, bytes]) -> list[str] | None:
    """nginx as a server of fixed JSON answers by `X-Amz-Target` (empty: every other); None where it is not installed."""
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if nginx is None:
        return None
    rules = "\n".join(
        f"if ($http_x_amz_target = \"{target}\") {{ return 200 '{body.decode()}'; }}"
        for target, body in answers.items()
        if target
    )
    user = "user root;" if os.getuid() == 0 else ""
    temporary = "\n".join(
        f"{kind}_temp_path {scratch}/nginx-{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    configuration = scratch / "nginx.conf"
    configuration.write_text(
        f"""{user} worker_processes 1; daemon off; pid {scratch}/nginx.pid; error_log {scratch}/nginx-errors.log;
events {{ worker_connections 512; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 1h; client_header_timeout 1h;
  default_type application/x-amz-json-1.0; {temporary}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      add_header x-amzn-RequestId 0a1b2c3d-0000-0000-0000-000000000000;
      {rules}
      return 200 '{answers[""].decode()}';
    }}
  }}
}}
"""
    )
    return [nginx, "-c", str(configuration), "-p", str(scratch)]
