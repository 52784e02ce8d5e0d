"""Requests to an OCI registry: credentials as Docker keeps them, bounded waits, repetition where it can help.

The `oras` library knows the ways in which registries ask for credentials, Docker's configuration and its login helpers. The
requests are sent here: its own retries wait for minutes also where the credentials are wrong, and it reads whole files into
memory. DOCKER_CONFIG is read here, too.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

import orjson
import tenacity

from replay_proxy.errors import RemoteError, RemoteUnavailableError, UsageError
from replay_proxy.pods.remotes.own_proxy import ca_bundle, outgoing_proxies
from replay_proxy.pods.remotes.remote import PARALLEL

try:
    import oras.auth
    import oras.container
    import oras.provider
    import requests
    from oras.logger import setup_logger
except ImportError as error:
    raise UsageError(
        "OCI registries need the package oras, which is not installed", hint="pip install 'replay-proxy[registry]'"
    ) from error

CONNECT_TIMEOUT_S: Final = 10.0
READ_TIMEOUT_S: Final = 120.0
ATTEMPTS: Final = 5
_REPEATABLE: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
_DOCKER_HUB: Final = ("docker.io", "index.docker.io", "registry-1.docker.io")
_DOCKER_HUB_ACCOUNT: Final = "https://index.docker.io/v1/"

Body = bytes | Callable[[], Any] | None
"""What a request carries: bytes, or a function that opens it anew each time it is sent."""


class RegistrySession:
    """The requests to one repository. host: with its port. repository: its path. plain_http: without TLS."""

    def __init__(self, host: str, repository: str, *, plain_http: bool) -> None:
        setup_logger(quiet=True)
        logging.getLogger("oras").disabled = True  # what it complains of becomes an error of ours
        self._account = _DOCKER_HUB_ACCOUNT if host in _DOCKER_HUB else host
        self.host = "registry-1.docker.io" if host in _DOCKER_HUB else host
        self.base = f"{'http' if plain_http else 'https'}://{self.host}/v2/{repository}/"
        self.shown = f"oci://{host}/{repository}"
        self._plain_http = plain_http
        verify = ca_bundle()
        registry = oras.provider.Registry(hostname=self.host, insecure=plain_http, tls_verify=verify)
        self._session: requests.Session = registry.session
        self._session.trust_env = False  # neither ~/.netrc, nor a proxy that records
        self._session.proxies = outgoing_proxies(self.base)
        self._session.verify = verify
        adapter = _Adapter(pool_maxsize=2 * PARALLEL)
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)
        self._auth: Any = None
        self._lock = threading.Lock()

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: Body = None,
        stream: bool = False,
        expected: tuple[int, ...] = (200,),
        once: bool = False,
        later: tuple[int, ...] = (),
    ) -> requests.Response:
        """Send a request, and return its answer.

        url: absolute, or relative to the repository. expected: the statuses that are no error; 404 is RemoteError unless it is
        among them. once: not to be repeated, since a part of the body may have arrived.

        Raises:
            RemoteUnavailableError: no answer, or one that says "later". RemoteError: a refusal.
        """
        address = urljoin(self.base, url)
        if once:
            return self._checked(method, address, headers, body, stream, expected, later)
        attempts = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(RemoteUnavailableError),
            stop=tenacity.stop_after_attempt(ATTEMPTS),
            wait=tenacity.wait_random_exponential(multiplier=0.2, max=5),
            reraise=True,
        )
        return attempts(self._checked, method, address, headers, body, stream, expected, later)

    def _checked(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        body: Body,
        stream: bool,
        expected: tuple[int, ...],
        later: tuple[int, ...],
    ) -> requests.Response:
        try:
            answer = self._authenticated(method, url, dict(headers or {}), body, stream)
        except (requests.exceptions.SSLError, requests.exceptions.InvalidURL) as error:
            raise RemoteError(
                f"{self.shown} cannot be reached safely: {error}",
                hint="REQUESTS_CA_BUNDLE names further certificates; --insecure of `remote add` speaks plain HTTP",
            ) from error
        except requests.exceptions.RequestException as error:
            raise RemoteUnavailableError(
                f"{self.shown} does not answer: {error}", hint="is the registry running, and is the address right?"
            ) from error
        if answer.status_code in expected:
            return answer
        with answer:
            raise self._refusal(answer, later)

    def _authenticated(
        self, method: str, url: str, headers: dict[str, str], body: Body, stream: bool
    ) -> requests.Response:
        with self._lock:
            if self._auth is not None:
                headers.update(self._auth.get_auth_header())
        answer = self._once(method, url, headers, body, stream)
        if answer.status_code not in (401, 403):
            return answer
        with self._lock:
            used, headers = headers.get("Authorization"), dict(headers)
            current = self._auth.get_auth_header().get("Authorization") if self._auth is not None else None
            if current and current != used:  # another thread has been given a new one meanwhile
                headers["Authorization"] = current
            elif not self._authenticate(answer, headers):
                return answer
        answer.close()
        return self._once(method, url, headers, body, stream)

    def _once(self, method: str, url: str, headers: dict[str, str], body: Body, stream: bool) -> requests.Response:
        if urlsplit(url).netloc != self.host:
            headers = {name: value for name, value in headers.items() if name != "Authorization"}
        if not callable(body):
            return self._session.request(method, url, data=body, headers=headers, stream=stream)
        with body() as data:
            return self._session.request(method, url, data=data, headers=headers, stream=stream)

    def _authenticate(self, answer: requests.Response, headers: dict[str, str]) -> bool:
        """Put credentials into `headers` as `answer` asks for them; False where there are none."""
        scheme = answer.headers.get("Www-Authenticate", "").partition(" ")[0].lower()
        if scheme not in ("basic", "bearer"):
            return False
        fresh = self._auth is None
        if fresh:
            backend = "basic" if scheme == "basic" else "token"
            self._auth = oras.auth.get_auth_backend(
                backend, self._session, self._plain_http, tls_verify=self._session.verify
            )
            self._auth._auth_config = _docker_config()
            account = oras.container.Container("any/any:any")
            account.registry = self._account
            self._auth.load_configs(account)
        if scheme == "basic" and not getattr(self._auth, "_basic_auth", None):
            self._auth = None
            return False
        try:
            found, changed = self._auth.authenticate_request(answer, headers, refresh=not fresh)
        except (KeyError, TypeError, ValueError):  # what the token service says is no token
            changed = False
        if changed:
            headers.update(found)
        return bool(changed)

    def _refusal(self, answer: requests.Response, later: tuple[int, ...]) -> RemoteError:
        said = _errors(answer)
        status = answer.status_code
        what = f"{self.shown} answers {status} to {answer.request.method}{': ' + said if said else ''}"
        if status in (401, 403):
            return RemoteError(
                f"{self.shown} refuses the credentials, or there are none: {said or status}",
                hint=f"`docker login {self._account}` writes them where they are looked for (~/.docker, DOCKER_CONFIG)",
            )
        if status in _REPEATABLE or status in later:
            return RemoteUnavailableError(what, hint="try again later")
        if status == 404:
            return RemoteError(what, hint="is that the path of a repository, and is it yours to write to?")
        return RemoteError(what, hint="the registry's log says more")


class _Adapter(requests.adapters.HTTPAdapter):
    """Bounds each wait: also those of the library, which sets none."""

    def send(self, request: Any, **rest: Any) -> Any:  # type: ignore[override]  # as the session calls it
        """Send a request with a bound on connecting, and one on each silence."""
        rest["timeout"] = rest.get("timeout") or (CONNECT_TIMEOUT_S, READ_TIMEOUT_S)
        return super().send(request, **rest)


def _docker_config() -> dict[str, Any]:
    """Return Docker's configuration as the library keeps it, with `auths` also under plain host names."""
    place = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker") / "config.json"
    try:
        found = orjson.loads(place.read_bytes())
    except FileNotFoundError:
        found = {}
    except (OSError, ValueError) as error:
        raise RemoteError(
            f"Docker's configuration {place} cannot be read: {error}", hint="mend it, or `docker login`"
        ) from error
    if not isinstance(found, dict):
        found = {}
    auths = found.get("auths")
    auths = auths if isinstance(auths, dict) else {}
    known = {name: value for name, value in auths.items() if isinstance(value, dict)}
    by_host = {
        urlsplit(name).netloc: value for name, value in known.items() if "://" in name and name != _DOCKER_HUB_ACCOUNT
    }
    helpers = found.get("credHelpers")
    return {
        "auths": by_host | known,
        "credsStore": found.get("credsStore"),
        "credHelpers": helpers if isinstance(helpers, dict) else {},
    }


def _errors(answer: requests.Response) -> str:
    """Return what a registry says of an error, in one line."""
    try:
        found = orjson.loads(answer.content[: 64 << 10])
        return "; ".join(str(each.get("message") or each.get("code")) for each in found["errors"])[:500]
    except (ValueError, KeyError, TypeError, AttributeError, requests.exceptions.RequestException):
        return answer.reason or ""
