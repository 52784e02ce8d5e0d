"""The certificate authority of the interception door: where it lies, and how it is made.

The files have the names that mitmproxy gives them. `mitmproxy-ca.pem` holds the private key: who has it can pretend to be any
host towards everybody who trusts this authority. So the folder is its owner's alone, the key never leaves it, and each person
has an authority of their own. Several processes may make it at a time: one does, under a lock, and the others take what is there.
The file with the key comes last, by a rename, so one that is there is whole.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import ssl
import tempfile
from pathlib import Path

from replay_proxy.errors import StorageError
from replay_proxy.proxy.intercept.mitmproxy_extra import need_mitmproxy

_KEY = "mitmproxy-ca.pem"
CERTIFICATE = "mitmproxy-ca-cert.pem"
BUNDLE = "bundle.pem"
_NAME = "replay-proxy interception"
_KEY_BITS = 2048
_SYSTEM_BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")


def certificate_of(directory: Path) -> Path:
    """Return the path of the authority's certificate in PEM. Makes the authority where there is none.

    Raises:
        StorageError: the folder cannot be read or written, or is not its owner's alone.
        UsageError: mitmproxy, which makes certificates, is not installed.
    """
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        _check_private(directory)
        if not (directory / _KEY).is_file():
            _make(directory)
    except OSError as error:
        raise StorageError(
            f"the certificate authority in {directory} cannot be made or read: {error.strerror or error}",
            hint="choose a folder that can be written with --ca-dir (REPLAY_CA_DIR)",
        ) from error
    return (directory / CERTIFICATE).absolute()


def bundle_of(directory: Path) -> Path:
    """Return the path of a file with the authority's certificate and all that this machine trusts, written anew.

    For variables that replace what a client trusts (`SSL_CERT_FILE`), where `NODE_EXTRA_CA_CERTS` and its like add to it.
    Raises as `certificate_of` does.
    """
    certificate = certificate_of(directory)
    trusted = _trusted_by_system()
    text = certificate.read_bytes() + (b"" if trusted is None else b"\n" + trusted.read_bytes())
    bundle = directory / BUNDLE
    try:
        handle, name = tempfile.mkstemp(dir=directory)  # its owner's alone
        with os.fdopen(handle, "wb") as file:
            file.write(text)
        Path(name).replace(bundle)
    except OSError as error:
        raise StorageError(
            f"{bundle} cannot be written: {error.strerror or error}", hint="choose a folder with --ca-dir"
        ) from error
    return bundle.absolute()


def _trusted_by_system() -> Path | None:
    """Return the file of certificates that this machine trusts; None where there is none."""
    openssl = ssl.get_default_verify_paths().openssl_cafile
    return next((path for path in map(Path, (openssl, *_SYSTEM_BUNDLES)) if path.is_file()), None)


def _check_private(directory: Path) -> None:
    status = directory.stat()
    if status.st_uid != os.getuid():
        raise StorageError(
            f"{directory} belongs to somebody else, who could read the authority's private key",
            hint="choose a folder of your own with --ca-dir (REPLAY_CA_DIR)",
        )
    if status.st_mode & 0o077:
        raise StorageError(
            f"{directory} is open to others than its owner, who could read the authority's private key",
            hint=f"chmod 700 {directory}, or choose another folder with --ca-dir (REPLAY_CA_DIR)",
        )


def _make(directory: Path) -> None:
    need_mitmproxy()
    from mitmproxy.certs import CertStore

    with (directory / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (directory / _KEY).is_file():
            return
        scratch = Path(tempfile.mkdtemp(dir=directory))
        try:
            CertStore.create_store(scratch, "mitmproxy", _KEY_BITS, organization=_NAME, cn=_NAME)
            for path in sorted(scratch.iterdir(), key=lambda path: path.name == _KEY):
                path.chmod(0o600)
                path.replace(directory / path.name)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
