"""Where a remote is, as people write it, and the remote that is there.

/srv/pods, ./pods, file:///srv/pods      a folder
oci://REGISTRY/REPOSITORY                a repository of an OCI registry; plain HTTP on loopback, or as `insecure` says
s3://BUCKET/PREFIX                       a folder of an S3-compatible bucket
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

from replay_proxy.errors import UsageError
from replay_proxy.pods.limits import Limits
from replay_proxy.pods.remotes.folder import FolderRemote
from replay_proxy.pods.remotes.remote import Remote

if TYPE_CHECKING:
    from replay_proxy.pods.remotes.bucket.bucket import BucketRemote

_REPOSITORY: Final = re.compile(
    r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*", re.ASCII
)
"""As the OCI distribution specification has it."""
_BUCKET: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}", re.ASCII)
FORMS: Final = "a folder (./pods), oci://REGISTRY/REPOSITORY or s3://BUCKET/PREFIX"


@dataclass(frozen=True, slots=True)
class RemoteLocation:
    """Where a remote is. It holds no credentials.

    endpoint_url, profile, region: of a bucket; empty for what the environment says. insecure: a registry by plain HTTP.
    """

    url: str
    endpoint_url: str = ""
    profile: str = ""
    region: str = ""
    insecure: bool = False

    @property
    def kind(self) -> str:
        """`oci`, `s3` or `folder`."""
        scheme = self.url.partition("://")[0] if "://" in self.url else ""
        return scheme if scheme in ("oci", "s3") else "folder"

    def as_json(self) -> dict[str, Any]:
        """Return what is not empty."""
        return {name: value for name, value in asdict(self).items() if value}


def looks_like_location(text: str) -> bool:
    """Return whether a text is a URL or a path, and not the name of a remote."""
    return "://" in text or "/" in text or text.startswith((".", "~"))


def checked_location(location: RemoteLocation) -> RemoteLocation:
    """Return a location with its URL in one spelling.

    Raises:
        UsageError: it is none, or has what its kind does not take, credentials above all.
    """
    url = location.url.strip()
    if "://" not in url:
        if not url:
            raise UsageError("the URL of a remote is empty", hint=f"write {FORMS}")
        checked = str(Path(url).expanduser().absolute())
    else:
        parts = urlsplit(url)
        if "@" in parts.netloc:
            raise UsageError(
                "the URL of a remote must not hold credentials",
                hint="registries: `docker login`; buckets: AWS's configuration, with --profile of `pod remote add`",
            )
        path = parts.path.strip("/")
        if parts.query or parts.fragment:
            raise UsageError(f"{url} has a query or a fragment", hint=f"write {FORMS}")
        match parts.scheme:
            case "file" if parts.netloc in ("", "localhost") and path:
                checked = "/" + unquote(path)
            case "oci" if parts.netloc and _REPOSITORY.fullmatch(path):
                _port(parts.netloc)
                checked = f"oci://{parts.netloc.lower()}/{path}"
            case "s3" if _BUCKET.fullmatch(parts.netloc):
                checked = f"s3://{parts.netloc}/{path}".rstrip("/")
            case _:
                raise UsageError(f"{url} is no URL of a remote", hint=f"write {FORMS}; a repository has small letters")
    found = RemoteLocation(checked, location.endpoint_url, location.profile, location.region, location.insecure)
    if found.kind != "s3" and (found.endpoint_url or found.profile or found.region):
        raise UsageError(
            "--endpoint-url, --profile and --region are for s3:// only", hint=f"{checked} takes none of them"
        )
    if found.kind != "oci" and found.insecure:
        raise UsageError(
            "--insecure is for oci:// only", hint="an S3 endpoint by plain HTTP is --endpoint-url http://…"
        )
    if found.endpoint_url:
        endpoint = urlsplit(found.endpoint_url)
        if endpoint.scheme not in ("http", "https") or not endpoint.hostname or "@" in endpoint.netloc:
            raise UsageError(
                f"{found.endpoint_url} is no endpoint",
                hint="write http://HOST:PORT or https://HOST, without credentials",
            )
    return found


def open_remote(location: RemoteLocation, limits: Limits | None = None) -> Remote:
    """Return the remote at a location. limits: of what a folder holds. Raises UsageError; nothing is asked of it yet."""
    location = checked_location(location)
    if location.kind == "s3":
        return open_bucket(location)
    if location.kind == "oci":
        from replay_proxy.pods.remotes.registry.registry import RegistryRemote
        from replay_proxy.pods.remotes.registry.registry_session import RegistrySession

        parts = urlsplit(location.url)
        plain = location.insecure or _is_loopback(parts.hostname or "")
        return RegistryRemote(RegistrySession(parts.netloc, parts.path.strip("/"), plain_http=plain))
    return FolderRemote(Path(location.url), limits)


def open_bucket(location: RemoteLocation) -> BucketRemote:
    """Return the bucket at a location, which is one of S3. Raises UsageError, where its endpoint is a replay-proxy."""
    from replay_proxy.pods.remotes.bucket.bucket import BucketRemote
    from replay_proxy.pods.remotes.bucket.bucket_session import bucket_client

    client = bucket_client(endpoint_url=location.endpoint_url, profile=location.profile, region=location.region)
    parts = urlsplit(location.url)
    return BucketRemote(client, parts.netloc, parts.path.strip("/"))


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _port(netloc: str) -> None:
    try:
        _ = urlsplit(f"//{netloc}").port
    except ValueError as error:
        raise UsageError(f"{netloc} is no address: {error}", hint="write HOST or HOST:PORT") from error
