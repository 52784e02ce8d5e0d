"""What clients need in order to come by the interception door: variables for a shell, and how each kind is made to trust it."""

from __future__ import annotations

import ipaddress
import shlex
from collections.abc import Mapping
from pathlib import Path

from replay_proxy.client_environment import NEVER_THROUGH_A_PROXY, ClientEnvironment, client_url, credentials_for
from replay_proxy.proxy.intercept.authority import bundle_of, certificate_of
from replay_proxy.proxy.intercept.routes import address_of, is_metadata
from replay_proxy.wire.models.aws_domains import aws_domains, is_of_aws

_REPLACE_TRUST = ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE")
"""Variables that name all that a client trusts: of the AWS CLI and boto3, of Python, of OpenSSL with Go and .NET, of curl."""
_PAST_THE_PROXY = (
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT",
)


def environment_for_door(
    address: tuple[str, int] | None,
    socks_address: tuple[str, int] | None,
    environment: Mapping[str, str],
    ca_directory: Path,
) -> ClientEnvironment:
    """Return what clients need that inherit `environment`, for a door that listens at these addresses; makes the authority.

    Raises as `authority.certificate_of` does.
    """
    certificate, bundle = certificate_of(ca_directory), bundle_of(ca_directory)
    url = None if address is None else client_url(*address)
    socks_url = None if socks_address is None else client_url(*socks_address).replace("http://", "socks5h://", 1)
    return intercepted_environment(url, socks_url, environment, certificate, bundle)


def intercepted_environment(
    url: str | None, socks_url: str | None, environment: Mapping[str, str], certificate: Path, bundle: Path
) -> ClientEnvironment:
    """Return what clients that inherit `environment` need.

    url, socks_url: the door as an HTTP proxy (`http://HOST:PORT`) and a SOCKS proxy (`socks5h://HOST:PORT`); None where it is
    none. certificate: of the authority. bundle: that, and what the system trusts.
    """
    variables: dict[str, str] = {}
    if url is not None:
        variables |= dict.fromkeys(("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"), url)
    if socks_url is not None:
        variables |= dict.fromkeys(("ALL_PROXY", "all_proxy"), socks_url)
    direct = no_proxy(environment.get("NO_PROXY") or environment.get("no_proxy") or "")
    variables |= {"NO_PROXY": direct, "no_proxy": direct}
    variables |= dict.fromkeys(_REPLACE_TRUST, str(bundle))
    variables["NODE_EXTRA_CA_CERTS"] = str(certificate)
    variables["NODE_USE_ENV_PROXY"] = "1"
    # Clients ask these addresses without a proxy, and what is written in a profile about endpoints would lead past it, too.
    variables |= {"AWS_EC2_METADATA_DISABLED": "true", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}
    variables |= credentials_for(environment)
    removed = [name for name in environment if name.startswith("AWS_ENDPOINT_URL") or name in _PAST_THE_PROXY]
    return ClientEnvironment(variables, tuple(sorted(removed)))


def no_proxy(value: str) -> str:
    """Return a value of `NO_PROXY` without what would let a client reach AWS past the proxy, and with this machine."""
    kept = [entry for entry in (part.strip() for part in value.split(",")) if entry and not _leads_to_aws(entry)]
    return ",".join(dict.fromkeys([*kept, *NEVER_THROUGH_A_PROXY]))


def _leads_to_aws(entry: str) -> bool:
    name = entry.lower().lstrip("*").strip(".").strip("[]")
    if not name:
        return True  # "*"
    try:
        return is_metadata(ipaddress.ip_network(name, strict=False).network_address)
    except ValueError:
        pass  # no address or network
    host = name.partition(":")[0]
    address = address_of(host)
    if address is not None:
        return is_metadata(address)
    return is_of_aws(host) or any(domain.endswith(f".{host}") for domains in aws_domains() for domain in domains)


def trust_instructions(certificate: Path, bundle: Path, command: str) -> str:
    """Return how clients are made to trust the authority, for people. command: that prints the variables."""
    quoted, all_of_it = shlex.quote(str(certificate)), shlex.quote(str(bundle))
    return f"""\
This certificate authority is yours alone: whoever has the private key beside it can pretend to be any host to those who trust it.

  all of a shell       eval "$({command})"          sets what follows, and the proxy
  AWS CLI, boto3       export AWS_CA_BUNDLE={all_of_it}
  Python requests      export REQUESTS_CA_BUNDLE={all_of_it}
  Go, Terraform        export SSL_CERT_FILE={all_of_it}        (Linux; elsewhere the system's store)
  .NET                 export SSL_CERT_FILE={all_of_it}        (Linux; elsewhere the system's store)
  curl                 export CURL_CA_BUNDLE={all_of_it}       or curl --cacert {quoted}
  Node.js              export NODE_EXTRA_CA_CERTS={quoted}
  Java                 keytool -importcert -noprompt -alias replay-proxy -file {quoted} \\
                         -keystore replay-proxy.p12 -storetype PKCS12 -storepass changeit
                       export JAVA_TOOL_OPTIONS="-Djavax.net.ssl.trustStore=$PWD/replay-proxy.p12 \\
                         -Djavax.net.ssl.trustStorePassword=changeit"
  a container image    COPY {certificate.name} /usr/local/share/ca-certificates/replay-proxy.crt
                       RUN update-ca-certificates           (Debian, Alpine)
  a running container  docker run -v {quoted}:/replay-proxy.pem:ro -e AWS_CA_BUNDLE=/replay-proxy.pem -e HTTPS_PROXY=...
  the whole system     sudo cp {quoted} /usr/local/share/ca-certificates/replay-proxy.crt && sudo update-ca-certificates
"""
