"""The client of an S3-compatible bucket: which endpoint, whose credentials. Never through a replay-proxy.

Clients of an emulator have AWS_ENDPOINT_URL set to the proxy. A push that followed it would be recorded, and the pod would grow
by itself. So the endpoint is what was said when the remote was added, AWS_ENDPOINT_URL_S3, the `services` section of the profile,
or AWS; and an endpoint that turns out to be a replay-proxy is refused.
"""

from __future__ import annotations

import os
from typing import Any, Final

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ProfileNotFound

from replay_proxy.errors import UsageError
from replay_proxy.pods.remotes.own_proxy import is_replay_proxy, outgoing_proxies
from replay_proxy.pods.remotes.remote import PARALLEL

ENDPOINT_VARIABLE: Final = "AWS_ENDPOINT_URL_S3"
DEFAULT_REGION: Final = "us-east-1"
CONNECT_TIMEOUT_S: Final = 10
READ_TIMEOUT_S: Final = 120
ATTEMPTS: Final = 5
AWS_URL: Final = "https://s3.amazonaws.com"


def bucket_client(*, endpoint_url: str = "", profile: str = "", region: str = "") -> Any:
    """Return a client of S3.

    endpoint_url, profile, region: as the remote was added with; empty for what the environment and the configuration say.

    Raises:
        UsageError: the endpoint is a replay-proxy, the profile does not exist, or an address cannot be understood.
    """
    try:
        core = botocore.session.Session(profile=profile or None)
        endpoint = endpoint_url or os.environ.get(ENDPOINT_VARIABLE, "") or _profile_endpoint(core)
        if endpoint and is_replay_proxy(endpoint):
            raise UsageError(
                f"{endpoint} is a replay-proxy: what is pushed there would be recorded as calls",
                hint="name the storage itself, with --endpoint-url of `pod remote add`, or in AWS_ENDPOINT_URL_S3",
            )
        config = Config(
            proxies=outgoing_proxies(endpoint or AWS_URL),
            connect_timeout=CONNECT_TIMEOUT_S,
            read_timeout=READ_TIMEOUT_S,
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
            max_pool_connections=2 * PARALLEL,
            signature_version="s3v4",
            # Other storages know no checksums but the old ones. Every blob is verified by its digest.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            s3={"addressing_style": "path"} if endpoint else None,
        )
        # Also where credentials are asked for (STS, SSO): AWS_ENDPOINT_URL is the emulator's.
        core.set_default_client_config(Config(ignore_configured_endpoint_urls=True))
        chosen = region or core.get_config_variable("region") or DEFAULT_REGION
        session = boto3.Session(botocore_session=core)
        return session.client("s3", region_name=chosen, endpoint_url=endpoint or None, config=config)
    except ProfileNotFound as error:
        raise UsageError(f"{error}", hint="`aws configure list-profiles` lists them") from error
    except (BotoCoreError, ValueError) as error:
        raise UsageError(
            f"the storage cannot be spoken to: {error}", hint="check the endpoint and AWS's configuration"
        ) from error


def _profile_endpoint(session: botocore.session.Session) -> str:
    """Return the endpoint of S3 that the profile names for that service; its general one is an emulator's, as a rule."""
    section = session.get_scoped_config().get("services")
    services = session.full_config.get("services", {}).get(section, {}) if section else {}
    found = services.get("s3", {}) if isinstance(services, dict) else {}
    return str(found.get("endpoint_url", "")) if isinstance(found, dict) else ""
