"""The expected contents of the stores of values: parameters (SSM) and secrets, by their names.

Such a store is one container of its account and region. Names are listed. The list shows a *sign* of each value (its version,
and when it was changed), which is another one after each write. So where nothing is known to have happened, only those values
are read whose sign is not that of the last look. To put a value down that a call had written already would make one more version
of it in every restore. So what a call leaves out (a type, a value that it only moves) is taken from the calls before.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from replay_proxy.footprint.names.resource_names import short_name
from replay_proxy.observing.container import Caller, Container
from replay_proxy.observing.expected import UNKNOWN, ExpectedContents, Look, digest
from replay_proxy.observing.finding import Finding
from replay_proxy.observing.reader import LookError, Reader
from replay_proxy.replay.recorded_call import Call

_AT_ONCE: Final = 10
"""Parameters that one call reads, at most."""
_CURRENT: Final = "AWSCURRENT"
_VERSIONS_MAX: Final = 20
"""Of a secret: of so many of the latest it is known what they hold."""


_TOLD: Final = ("Description", "KeyId", "AllowedPattern", "Tier", "DataType")
"""What the list of parameters tells that PutParameter takes, too."""
_MADE_WITH: Final = ("Description", "KmsKeyId", "Tags")
"""What the list of secrets tells that CreateSecret takes, too."""
_MANAGED: Final = "!"
"""In the name of a secret that a service manages (`rds!cluster-…`), and in no other: CreateSecret does not take it."""
_RESERVED: Final = ("aws", "ssm")
"""With one of these the names of the provider's own parameters begin (`/aws/service/…`). PutParameter takes no such name.
Source: the reference of PutParameter. Some emulators make them when they are read first."""
_SECURE: Final = "SecureString"
_VERSION: Final = "\0"
"""Between the name of a parameter and the number of an earlier version."""
_Sign = tuple[str, ...]


class StoredValues(ExpectedContents):
    """The values of one store."""

    def __init__(self, container: Container) -> None:
        super().__init__(container)
        self._signs: dict[str, tuple[_Sign, bytes]] = {}

    async def look(self, reader: Reader, caller: Caller, *, thorough: bool) -> Look:
        """Read all values; only those that were written since the last look, where not `thorough`."""
        look, signs = Look(read=self.read), await self._listed(reader, caller)
        known = {} if thorough else {name: self._signs.get(name, ((), UNKNOWN)) for name in signs}
        wanted: list[str] = []
        for name, sign in signs.items():
            last, fingerprint = known.get(name, ((), UNKNOWN))
            if sign and sign == last and self.parts.get(name) == fingerprint:
                look.seen[name] = fingerprint
            else:
                wanted.append(name)
        async for name, fingerprint, finding in self._values(reader, caller, wanted):
            look.seen[name] = fingerprint
            if self.parts.get(name) != fingerprint:
                look.changed[name] = finding
        self._signs = {name: (signs.get(name, ()), fingerprint) for name, fingerprint in look.seen.items()}
        return look

    @abstractmethod
    async def _listed(self, reader: Reader, caller: Caller) -> dict[str, _Sign]:
        """Return the sign of each value by its name; empty where the emulator shows none."""

    @property
    @abstractmethod
    def read(self) -> str:
        """The operation that shows the values."""

    @abstractmethod
    def _values(
        self, reader: Reader, caller: Caller, names: Sequence[str]
    ) -> AsyncIterator[tuple[str, bytes, Finding]]:
        """Yield the name of each of these values, its print, and the finding for it."""


class Parameters(StoredValues):
    """The parameters of SSM. A part is a parameter, or an earlier version of one that nothing recorded."""

    read = "GetParameters"

    def __init__(self, container: Container) -> None:
        super().__init__(container)
        self._shown: dict[str, Mapping[str, Any]] = {}
        self._versions: dict[str, int] = {}
        self._types: dict[str, str] = {}

    def see(self, call: Call) -> None:
        """Take in a call to SSM."""
        params = call.params
        match call.operation:
            case "PutParameter":
                # What was put back by an observation shows no version; each write makes one more.
                following = self._versions.get(params["Name"], 0) + 1
                self._versions[params["Name"]] = int(call.result.get("Version") or following)
                # Where the type is not given it stays as it was.
                name, type_ = params["Name"], params.get("Type") or self._types.get(params["Name"])
                self.put(name, _parameter_print({**params, "Type": type_}) if isinstance(type_, str) else UNKNOWN)
                if isinstance(type_, str):
                    self._types[name] = type_
            case "DeleteParameter":
                self._drop(params["Name"])
            case "DeleteParameters":
                for name in params["Names"]:
                    self._drop(name)

    def _drop(self, name: str) -> None:
        self._types.pop(name, None)
        self._versions.pop(name, None)
        self.drop(name)

    def clear(self) -> None:
        """Expect nothing any more."""
        super().clear()
        self._types.clear()
        self._versions.clear()

    async def _listed(self, reader: Reader, caller: Caller) -> dict[str, _Sign]:
        signs: dict[str, _Sign] = {}
        asked: dict[str, Any] = {}
        self._shown = {}
        while True:
            page = await reader.ask(self.container, caller, "DescribeParameters", asked)
            for each in page.get("Parameters", ()):
                if _is_reserved(each["Name"]) and each["Name"] not in self.parts:
                    continue
                self._shown[each["Name"]] = each
                signs[each["Name"]] = _sign_of(each.get("Version"), each.get("LastModifiedDate"))
            if not page.get("NextToken"):
                return signs
            asked = {"NextToken": page["NextToken"]}

    async def _values(
        self, reader: Reader, caller: Caller, names: Sequence[str]
    ) -> AsyncIterator[tuple[str, bytes, Finding]]:
        for begin in range(0, len(names), _AT_ONCE):
            wanted = {"Names": names[begin : begin + _AT_ONCE], "WithDecryption": True}
            for each in (await reader.ask(self.container, caller, self.read, wanted)).get("Parameters", ()):
                for earlier in await self._earlier(reader, caller, each):
                    part = f"{earlier['Name']}{_VERSION}{earlier['Version']}"
                    yield part, _parameter_print(earlier), self._finding(earlier)
                yield each["Name"], _parameter_print(each), self._finding(each)
                self._versions[each["Name"]] = int(each.get("Version") or 0)

    async def _earlier(self, reader: Reader, caller: Caller, latest: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        """Return the versions that were written by themselves before the latest one: clients name versions by their numbers."""
        known, last = self._versions.get(latest["Name"], 0), int(latest.get("Version") or 0)
        if last <= known + 1:
            return []
        asked = {"Name": latest["Name"], "WithDecryption": True}
        try:
            history = (await reader.ask(self.container, caller, "GetParameterHistory", asked)).get("Parameters", ())
        except LookError:
            return []
        found = [each for each in history if known < int(each["Version"]) < last]
        return sorted(found, key=lambda each: int(each["Version"]))

    def _finding(self, each: Mapping[str, Any]) -> Finding:
        name = each["Name"]
        latest = self._shown.get(name, {})
        shown = latest if latest.get("Version") in (None, each.get("Version")) else each
        parameters = {"Name": name, "Value": each["Value"], "Type": each["Type"], "Overwrite": True}
        parameters |= {member: shown[member] for member in _TOLD if shown.get(member)}
        if each["Type"] != _SECURE:
            parameters.pop("KeyId", None)
        return Finding("PutParameter", parameters, self.read, name, made_at=_seconds(shown.get("LastModifiedDate")))

    def gone(self, part: str, look: Look) -> Finding | None:
        """Return the finding for a parameter that was deleted."""
        if _VERSION in part:
            return None
        return Finding("DeleteParameter", {"Name": part}, "DescribeParameters", part)


def _is_reserved(name: str) -> bool:
    return name.lower().removeprefix("/").startswith(_RESERVED)


class Secrets(StoredValues):
    """The secrets and their values.

    is_made_by_stacks: tells whether stacks may have made some, which they do again, under names that they draw.
    """

    read = "GetSecretValue"

    def __init__(self, container: Container, is_made_by_stacks: Callable[[], bool]) -> None:
        super().__init__(container)
        self._names: dict[str, str] = {}
        self._shown: dict[str, Mapping[str, Any]] = {}
        self.is_made_by_stacks = is_made_by_stacks
        self._versions: dict[str, dict[str, bytes]] = {}
        self._deleted: dict[str, bytes] = {}

    def see(self, call: Call) -> None:
        """Take in a call to Secrets Manager."""
        params, result = call.params, call.result
        if call.operation == "CreateSecret":
            if result.get("ARN"):
                self._names[result["ARN"]] = params["Name"]
            self._write(params["Name"], call)
            return
        secret = params.get("SecretId")
        if not isinstance(secret, str):
            return
        name = self._names.get(secret) or (short_name(secret) if secret.startswith("arn:") else secret)
        match call.operation:
            case "PutSecretValue" | "UpdateSecret":
                if "SecretString" in params or "SecretBinary" in params:
                    self._write(name, call)
            case "DeleteSecret":
                if name in self.parts:
                    self._deleted[name] = self.parts[name]
                self.drop(name)
            case "RestoreSecret":
                self.put(name, self._deleted.pop(name, UNKNOWN))
            case "UpdateSecretVersionStage" if params.get("VersionStage") == _CURRENT:
                self.put(name, self._versions.get(name, {}).get(str(params.get("MoveToVersionId")), UNKNOWN))
            case "RotateSecret":
                # The call makes a version of the value that there was, until a function writes another one into it.
                self.put(name, self.parts.get(name, UNKNOWN))
                self._note_version(name, call, self.parts[name])

    def _write(self, name: str, call: Call) -> None:
        fingerprint = _secret_print(call.params)
        self._note_version(name, call, fingerprint)
        # A version that another stage is asked for is not the current one.
        if _CURRENT in (call.params.get("VersionStages") or (_CURRENT,)):
            self.put(name, fingerprint)

    def _note_version(self, name: str, call: Call, fingerprint: bytes) -> None:
        version = call.result.get("VersionId") or call.params.get("ClientRequestToken")
        if isinstance(version, str):
            versions = self._versions.setdefault(name, {})
            versions[version] = fingerprint
            while len(versions) > _VERSIONS_MAX:
                del versions[next(iter(versions))]

    def clear(self) -> None:
        """Expect nothing any more."""
        super().clear()
        self._versions.clear()
        self._deleted.clear()

    async def _listed(self, reader: Reader, caller: Caller) -> dict[str, _Sign]:
        signs: dict[str, _Sign] = {}
        asked: dict[str, Any] = {}
        self._shown = {}
        while True:
            page = await reader.ask(self.container, caller, "ListSecrets", asked)
            for each in page.get("SecretList", ()):
                if not each.get("DeletedDate") and (each["Name"] in self.parts or self._is_made_by_itself(each)):
                    self._shown[each["Name"]] = each
                    signs[each["Name"]] = _sign_of(each.get("SecretVersionsToStages"), each.get("LastChangedDate"))
            if not page.get("NextToken"):
                return signs
            asked = {"NextToken": page["NextToken"]}

    async def _values(
        self, reader: Reader, caller: Caller, names: Sequence[str]
    ) -> AsyncIterator[tuple[str, bytes, Finding]]:
        for name in names:
            try:
                found = await reader.ask(self.container, caller, self.read, {"SecretId": name})
            except LookError:
                continue  # it has no value yet
            value: dict[str, Any] = {
                member: found[member] for member in ("SecretString", "SecretBinary") if member in found
            }
            result = {"Name": name, "ARN": found.get("ARN", ""), "VersionId": found.get("VersionId", "")}
            if name in self.parts:
                # What was written into a version that a recorded call makes again is written into that one.
                own = result["VersionId"] in self._versions.get(name, ())
                token = {"ClientRequestToken": result["VersionId"]} if own else {}
                made_at = _seconds(found.get("CreatedDate"))
                parameters = {"SecretId": name, **value, **token}
                finding = Finding("PutSecretValue", parameters, self.read, name, result, made_at=made_at)
            else:
                shown = self._shown.get(name, {})
                parameters = {
                    "Name": name,
                    **value,
                    **{member: shown[member] for member in _MADE_WITH if shown.get(member)},
                }
                made_at = _seconds(shown.get("CreatedDate"))
                finding = Finding("CreateSecret", parameters, self.read, name, result, made_at=made_at)
            yield name, _secret_print(found), finding

    def _is_made_by_itself(self, secret: Mapping[str, Any]) -> bool:
        """Return whether a secret that no call has made is one that nothing makes again: no stack, and no other service."""
        replica = secret.get("PrimaryRegion") not in (None, "", self.container.region)
        managed = secret.get("OwningService") or _MANAGED in secret["Name"]
        return not (replica or managed or self.is_made_by_stacks())

    def gone(self, part: str, look: Look) -> Finding | None:
        """Return None: a secret is deleted by calls, and one that has no value is not listed as gone."""
        return None


def _sign_of(version: Any, changed: Any) -> _Sign:
    """Return what a list says of a value's version and of its last change; empty where it says neither."""
    return (repr(version), repr(changed)) if version and changed else ()


def _seconds(moment: Any) -> float:
    return moment.timestamp() if isinstance(moment, datetime) else 0.0


def _parameter_print(parameter: Mapping[str, Any]) -> bytes:
    return digest(f"{parameter['Type']}\0{parameter['Value']}".encode())


def _secret_print(secret: Mapping[str, Any]) -> bytes:
    binary = secret.get("SecretBinary")
    if isinstance(binary, bytes):
        return digest(b"binary\0" + binary)
    text = secret.get("SecretString")
    return digest(b"text\0" + text.encode()) if isinstance(text, str) else UNKNOWN
