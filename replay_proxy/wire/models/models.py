"""The service models that botocore ships, loaded lazily and fast.

botocore's own loader reads a model with the standard `json` module into `OrderedDict`s, keeps all of its prose,
and needs a session. Here the same files are found on the same search path (`AWS_DATA_PATH`, `~/.aws/models`,
botocore's own `data/`), parsed with orjson, and stripped of their documentation, which is most of their size.
botocore's "sdk extras" (small corrections that ship beside a model) are applied as botocore applies them, and
after those our own corrections: `data/model_defects.json`, each with the reason why it is there.

A loaded model is kept while it is among the `SERVICES_CACHED_MAX` most recently used, so that a program that walks
over all services, or a client that does, does not keep all of them in memory. An operation or a shape keeps its whole
model: nothing may remember one beside this cache (what follows from a shape is remembered in a `WeakKeyDictionary`).

A service may speak a protocol that its model no longer describes (SQS, queries). For such a pair the data file
has a *variant*: `protocol_model` names the operation as that protocol spells its members.
"""

from __future__ import annotations

import gzip
import os
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import botocore
import orjson
from botocore.loaders import Loader, create_loader
from botocore.model import OperationModel, OperationNotFoundError, ServiceModel
from botocore.utils import deep_merge

SERVICES_CACHED_MAX = 48

_SERVICE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*")
_DEFECTS = Path(__file__).parent / "data" / "model_defects.json"


class UnknownModelError(LookupError):
    """A service that botocore does not ship, or an operation that its model does not have."""

    def __str__(self) -> str:
        return str(self.args[0])


def version() -> str:
    """Return the version of botocore, and so of its models."""
    return str(botocore.__version__)


@lru_cache(maxsize=SERVICES_CACHED_MAX)
def service_model(service: str) -> ServiceModel:
    """Return the model of botocore's service `service` (`sqs`), its latest API version.

    Raises UnknownModelError (a LookupError) where no such service is installed.
    """
    return ServiceModel(description(service), service_name=service)


@lru_cache(maxsize=SERVICES_CACHED_MAX)
def description(service: str) -> dict[str, Any]:
    """Return the model of `service` as plain data, the very data of `service_model`: not to be changed.

    For a look at all operations of a service: `botocore.model` makes an object of each shape that is looked at.
    Raises UnknownModelError (a LookupError) where no such service is installed.
    """
    return load_description(service)


def operation_model(service: str, operation: str) -> OperationModel:
    """Return the model of one operation, spelled as the model spells it (`CreateQueue`); the service's model remembers it.

    Raises UnknownModelError (a LookupError) where there is no such service or operation.
    """
    model = service_model(service)
    try:
        return model.operation_model(operation)
    except OperationNotFoundError:
        raise UnknownModelError(
            f"service {service!r} (API version {model.api_version}) has no operation {operation!r}"
        ) from None


def protocol_of(service: str) -> str:
    """Return the protocol that a service is spoken to in first. Raises UnknownModelError (a LookupError)."""
    protocol: str = service_model(service).metadata["protocol"]
    return protocol


def streams_input(service: str, operation: str) -> bool:
    """Return whether the body of a request is the user's own bytes, which no model describes.

    True for an unknown operation.
    """
    try:
        return bool(operation_model(service, operation).has_streaming_input)
    except UnknownModelError:
        return True


def streams_output(service: str, operation: str) -> bool:
    """Return whether the body of an answer is the user's own bytes, which no model describes.

    True for an unknown operation.
    """
    try:
        return bool(operation_model(service, operation).has_streaming_output)
    except UnknownModelError:
        return True


def protocol_model(service: str, operation: str, protocol: str) -> OperationModel:
    """Return the model of one operation with its members named as `protocol` names them (`CallHead.protocol`).

    Differs from `operation_model` only where the data file has a variant. Raises UnknownModelError.
    """
    if service not in model_defects()["variants"].get(protocol, {}):
        return operation_model(service, operation)
    try:
        return _variant(service, protocol).operation_model(operation)
    except OperationNotFoundError:
        raise UnknownModelError(f"service {service!r} has no operation {operation!r}") from None


@lru_cache(maxsize=8)
def _variant(service: str, protocol: str) -> ServiceModel:
    description = load_description(service)
    for correction in model_defects()["variants"][protocol][service]:
        deep_merge(description, correction["merge"])
    return ServiceModel(description, service_name=service)


def load_description(service: str) -> dict[str, Any]:
    """Return the model of `service` as plain data, uncached: corrected, and without its documentation.

    Raises UnknownModelError (a LookupError) where no such service is installed.
    """
    folder = _newest_version(service)
    if folder is None:
        raise UnknownModelError(f"botocore has no model of a service called {service!r}")
    description = _read(folder, "service-2")
    assert description is not None
    _strip(description)
    extras = _read(folder, "service-2.sdk-extras")
    if extras is not None:
        deep_merge(description, extras.get("merge", {}))
    for defect in model_defects()["corrections"].get(service, ()):
        deep_merge(description, defect["merge"])
    return description


def load_paginators(service: str) -> dict[str, dict[str, Any]]:
    """Return the data of botocore's paginators of `service`, by operation, uncached; empty where it has none."""
    folder = _newest_version(service)
    data = _read(folder, "paginators-1") if folder is not None else None
    if folder is None or data is None:
        return {}
    extras = _read(folder, "paginators-1.sdk-extras")
    if extras is not None:
        deep_merge(data, extras.get("merge", {}))
    return dict(data.get("pagination", {}))


def load_partitions() -> list[dict[str, Any]]:
    """Return what botocore knows of each partition (`id`, `outputs` with its domains), uncached."""
    found = (_read(root, "partitions") for root in _search_paths() if root.is_dir())
    return [partition for data in found if data is not None for partition in data.get("partitions", ())]


@lru_cache(maxsize=1)
def service_names() -> tuple[str, ...]:
    """Return every service that has a model on the search path, sorted."""
    found = set()
    for root in _search_paths():
        for folder in root.iterdir() if root.is_dir() else ():
            if folder.is_dir() and next(_versions(folder), None) is not None:
                found.add(folder.name)
    return tuple(sorted(found))


@lru_cache(maxsize=1)
def model_defects() -> dict[str, dict[str, Any]]:
    """Return the content of the data file: `corrections` by service, `variants` by protocol and service.

    Each entry has a `merge`, laid over the model, and a `reason`.
    """
    defects: dict[str, dict[str, Any]] = orjson.loads(_DEFECTS.read_bytes())
    return defects


def _search_paths() -> list[Path]:
    loader: Loader = create_loader(os.environ.get("AWS_DATA_PATH"))
    return [Path(path) for path in loader.search_paths]


def _newest_version(service: str) -> Path | None:
    """Return the folder of the latest API version; where two search paths have it, the first of them."""
    roots = _search_paths()
    if service not in _folder_names(tuple(roots)):  # never a path made of what a file says
        return None
    newest: Path | None = None
    for root in roots:
        for folder in _versions(root / service):
            if newest is None or folder.name > newest.name:
                newest = folder
    return newest


@lru_cache(maxsize=4)
def _folder_names(roots: tuple[Path, ...]) -> frozenset[str]:
    """Return the names of all folders below these that may hold a service's models."""
    found = (entry.name for root in roots if root.is_dir() for entry in root.iterdir())
    return frozenset(name for name in found if _SERVICE_NAME.fullmatch(name))


def _versions(service_folder: Path) -> Iterator[Path]:
    if not service_folder.is_dir():
        return
    for folder in service_folder.iterdir():
        if any((folder / name).is_file() for name in ("service-2.json.gz", "service-2.json")):
            yield folder


def _read(folder: Path, name: str) -> dict[str, Any] | None:
    plain = folder / f"{name}.json"
    data: dict[str, Any]
    if plain.is_file():
        data = orjson.loads(plain.read_bytes())
        return data
    packed = folder / f"{name}.json.gz"
    if packed.is_file():
        data = orjson.loads(gzip.decompress(packed.read_bytes()))
        return data
    return None


def _strip(description: dict[str, Any]) -> None:
    """Remove the prose: nothing here reads it, and it is two thirds of a model."""
    description.pop("documentation", None)
    for operation in description["operations"].values():
        operation.pop("documentation", None)
    for shape in description["shapes"].values():
        shape.pop("documentation", None)
        for member in shape.get("members", {}).values():
            member.pop("documentation", None)
        for part in ("member", "key", "value"):
            if part in shape:
                shape[part].pop("documentation", None)
