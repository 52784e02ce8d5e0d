"""What `replay-proxy explain` prints, as data, and as text to read.

A view holds plain values; `as_json` writes them out in full, `print` lays them out for a terminal and cuts what is
long. Nothing depends on colour.
"""

from __future__ import annotations

import difflib
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

import orjson

from replay_proxy.cli.explain.pasted import parse_pasted
from replay_proxy.errors import MalformedMessage, UsageError
from replay_proxy.exchange import BlobRef, CallHead, Request
from replay_proxy.journal.format.checksum import LineError
from replay_proxy.journal.format.decode import decode_line
from replay_proxy.journal.format.localstack_legacy import is_legacy_line, legacy_record
from replay_proxy.journal.format.records import Record
from replay_proxy.replay.runs.families import role_of
from replay_proxy.replay.runs.starts import why_repeated
from replay_proxy.wire.codecs.parameters import parse_parameters
from replay_proxy.wire.models.models import UnknownModelError, protocol_model, service_model, service_names
from replay_proxy.wire.models.service_index import service_index
from replay_proxy.wire.mutability.by_request import depends_on_request
from replay_proxy.wire.mutability.judge import (
    Effect,
    Judgement,
    JudgementSource,
    judge,
    judge_call,
    kind,
    reviewed_services,
)
from replay_proxy.wire.recognition.recognise import recognise
from replay_proxy.wire.sensitive.masking import masked

_LAYERS = {
    JudgementSource.REQUEST: "seen in the request",
    JudgementSource.ANSWER: "seen in the model of its answer",
    JudgementSource.TABLE: "hand-checked table",
    JudgementSource.TRAIT: "trait of the service model",
    JudgementSource.VERB: "rule for the verb",
    JudgementSource.METHOD: "rule for the HTTP method",
    JudgementSource.UNKNOWN: "no rule knows it",
}
_TEXT_CHARACTERS_MAX = 400
_LIST_ITEMS_MAX = 30


class View(Protocol):
    """Something to print, or to write as JSON (its fields)."""

    def print(self) -> None: ...


@dataclass(frozen=True)
class CallView:
    """One call, or one operation where there is no request (`parameters` is None then).

    effect, reason, layer: what it does to the state, why, and which rule says so. kind, kind_reason: which kind of state a
    mutating call writes, and why. recorded: whether a successful call is recorded.
    restored: what a restore does with it.
    """

    recognised: bool
    method: str = ""
    target: str = ""
    service: str = ""
    operation: str = ""
    protocol: str = ""
    account: str = ""
    region: str = ""
    access_key: str = ""
    parameters: Mapping[str, Any] | None = None
    parameters_error: str = ""
    effect: str = ""
    reason: str = ""
    layer: str = ""
    reviewed: bool = False
    depends_on_request: bool = False
    kind: str = ""
    kind_reason: str = ""
    recorded: bool = False
    restored: str = ""

    def print(self) -> None:
        """Print it as labelled lines."""
        if not self.recognised:
            _line("request", f"{self.method} {_cut(self.target)}")
            _line("call", "none that is known: no API call of an AWS service, or too little is said about it")
            _line("recorded", "no: it is forwarded untouched, and counted as not recognised")
            return
        asked = self.parameters is not None or self.parameters_error
        _line("service", self.service + (" (all of its operations were reviewed)" if self.reviewed else ""))
        _line("operation", self.operation)
        if asked:
            _line("protocol", self.protocol)
            _line("account", self.account or "not said (the emulator's default)")
            _line("region", self.region or "not said (the emulator's default)")
            if self.access_key:
                _line("access key", self.access_key)
        if self.parameters_error:
            _line("parameters", f"cannot be read: {self.parameters_error}")
        elif asked:
            _line("parameters", "" if self.parameters else "none")
            _print_members(self.parameters or {}, "  ")
        _line("effect", self.effect)
        _line("why", f"{self.reason} ({self.layer})")
        if self.depends_on_request and not asked:
            _line("", "the answer for one request may differ: paste the request")
        if self.kind:
            _line("kind", f"{self.kind}: {self.kind_reason}")
        _line("recorded", "yes, if it succeeds" if self.recorded else "no")
        if self.restored:
            _line("restored", self.restored)


@dataclass(frozen=True)
class ServiceView:
    """All operations of a service. counts: operations by effect.

    operations: the members `operation`, `effect`, `reason`, `layer`, `kind` and `kind_reason` of each.
    """

    service: str
    reviewed: bool
    counts: Mapping[str, int]
    operations: list[dict[str, str]] = field(default_factory=list)

    def print(self) -> None:
        """Print a summary and a table."""
        counts = ", ".join(f"{count} {effect}" for effect, count in self.counts.items())
        review = "all reviewed by hand" if self.reviewed else "not reviewed as a whole: general rules decide"
        print(f"{self.service}: {len(self.operations)} operations ({counts}), {review}")
        print()
        widths = [max(len(row[name]) for row in self.operations) for name in ("operation", "effect", "kind")]
        for row in self.operations:
            cells = (row["operation"], row["effect"], row["kind"])
            start = "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
            print(f"{start}  {row['effect']}: {row['reason']} ({row['layer']})")
            if row["kind"]:
                print(f"{' ' * len(start)}  {row['kind']}: {row['kind_reason']}")


def operation_view(service: str, operation: str) -> CallView:
    """Return what is known of an operation without a request. Case and dashes in names do not matter.

    Raises UsageError where there is none of that name.
    """
    service, operation = _find(service, operation)
    return _view(CallHead(service, operation, ""), judge(service, operation))


def service_view(name: str) -> ServiceView:
    """Return all operations of a service. Raises UsageError where there is none of that name."""
    service = _services(name)[0]
    rows, counts = [], {effect.value: 0 for effect in Effect}
    for operation in sorted(service_model(service).operation_names):
        verdict = judge(service, operation)
        counts[verdict.effect.value] += 1
        written = kind(service, operation) if verdict.mutates else None
        rows.append(
            {
                "operation": operation,
                "effect": verdict.effect.value,
                "kind": written.kind.value if written else "",
                "reason": verdict.reason,
                "kind_reason": written.reason if written else "",
                "layer": _LAYERS[verdict.layer],
            }
        )
    return ServiceView(service, service in reviewed_services(), counts, rows)


def request_view(text: str, read_file: Callable[[str], bytes]) -> CallView:
    """Return what is known of a pasted request. Raises UsageError where the text is none."""
    record = _record(text)
    if record is None:
        request = parse_pasted(text, read_file)
        head = recognise(request)
    else:
        request = record.request
        # A recorded request has no signature any more; the record holds what was recognised then.
        head = record.head or recognise(request)
    if head is None:
        return CallView(recognised=False, method=request.method, target=request.target)
    try:
        shape = protocol_model(head.service, head.operation, head.protocol).input_shape
        parameters, error = _plain(masked(shape, parse_parameters(head, request))), ""
    except (MalformedMessage, UnknownModelError) as failure:
        parameters, error = None, str(failure)
    return _view(head, judge_call(head, request), request, parameters, error)


def as_json(view: Any) -> str:
    """Return all fields of a view as JSON, with a newline."""
    text = orjson.dumps(asdict(view), option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS, default=str)
    return text.decode() + "\n"


def _view(
    head: CallHead,
    verdict: Judgement,
    request: Request | None = None,
    parameters: Mapping[str, Any] | None = None,
    error: str = "",
) -> CallView:
    written = kind(head.service, head.operation) if verdict.mutates else None
    return CallView(
        recognised=True,
        method=request.method if request else "",
        target=request.target if request else "",
        service=head.service,
        operation=head.operation,
        protocol=head.protocol,
        account=head.account,
        region=head.region,
        access_key=head.access_key,
        parameters=parameters,
        parameters_error=error,
        effect=verdict.effect.value,
        reason=verdict.reason,
        layer=_LAYERS[verdict.layer],
        reviewed=head.service in reviewed_services(),
        depends_on_request=depends_on_request(head.service, head.operation),
        kind=written.kind.value if written else "",
        kind_reason=written.reason if written else "",
        recorded=verdict.mutates,
        restored=_restored(head.service, head.operation) if verdict.mutates else "",
    )


def _restored(service: str, operation: str) -> str:
    """Return what a restore does with a recorded call that no later call undid."""
    role = role_of(service, operation)
    if role is not None and role[1] != "read":
        return "it is about a run: not made again, but answered from the recording"
    why = why_repeated(service, operation)
    return f"repeated: {why}" if why else "repeated, unless later calls undid it"


def _record(text: str) -> Record | None:
    """Return the record of a pasted line of a recording, ours or LocalStack's; None where it is no such line."""
    line = text.encode("utf-8", "surrogateescape")
    try:
        if is_legacy_line(line):
            return legacy_record(line, 0)
        content = orjson.loads(line)
        if not isinstance(content, dict) or not {"seq", "request"} <= content.keys():
            return None
        # `jq` and editors lay a line out anew: its checksum says nothing about what was pasted.
        content.pop("crc", None)
        item = decode_line(orjson.dumps(content)).item
    except orjson.JSONDecodeError:
        return None
    except LineError as error:
        raise UsageError(f"this looks like a line of a recording, but {error}", hint="paste the whole line") from None
    return item if isinstance(item, Record) else None


def _find(service: str, operation: str) -> tuple[str, str]:
    candidates = _services(service)
    wanted = _folded(operation)
    for candidate in candidates:
        for name in service_model(candidate).operation_names:
            if _folded(name) == wanted:
                return candidate, name
    names = service_model(candidates[0]).operation_names
    folded = {_folded(name): name for name in names}
    near = difflib.get_close_matches(wanted, folded, n=3)
    hint = f"did you mean {', '.join(folded[name] for name in near)}?" if near else ""
    raise UsageError(
        f"{candidates[0]} has no operation {operation!r}",
        hint=hint or f"`replay-proxy explain {candidates[0]}` lists its operations",
    )


def _services(name: str) -> list[str]:
    """Return the service that botocore calls `name`, else those that sign under that name (`states`, `monitoring`)."""
    wanted = name.lower()
    names = service_names()
    if wanted in names:
        return [wanted]
    signing = [service.name for service in service_index().services.values() if service.signing_name.lower() == wanted]
    if signing:
        return signing
    near = difflib.get_close_matches(wanted, names, n=3)
    raise UsageError(
        f"no AWS service is called {name!r}",
        hint=f"did you mean {', '.join(near)}?" if near else "services are named as botocore and the AWS CLI name them",
    )


def _folded(name: str) -> str:
    return name.replace("-", "").replace("_", "").lower()


def _plain(value: Any) -> Any:
    """Return `value` as JSON can hold it: bytes as text where they are text, blobs by name."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, BlobRef):
        return {"blob": value.sha256, "size": value.size}
    if isinstance(value, bytes | bytearray):
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            return {"base64": b64encode(value).decode("ascii")}
    if value is None or isinstance(value, str | int | float | bool):
        return value
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _line(label: str, text: str) -> None:
    print(f"{label:<12}{text}".rstrip())


def _print_members(value: Mapping[str, Any], indent: str) -> None:
    for name, member in value.items():
        _print_member(f"{indent}{name}:", member, indent)


def _print_member(label: str, value: Any, indent: str) -> None:
    if isinstance(value, Mapping) and value:
        print(label)
        _print_members(value, indent + "  ")
    elif isinstance(value, list) and value:
        print(label)
        for item in value[:_LIST_ITEMS_MAX]:
            if isinstance(item, Mapping | list) and item:
                _print_member(f"{indent}  -", item, indent + "  ")
            else:
                print(f"{indent}  - {_scalar(item)}")
        if len(value) > _LIST_ITEMS_MAX:
            print(f"{indent}  … and {len(value) - _LIST_ITEMS_MAX} more")
    else:
        print(f"{label} {_scalar(value)}")


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        return _cut(value)
    return orjson.dumps(value).decode()


def _cut(text: str) -> str:
    shown = "".join(char if char.isprintable() else repr(char)[1:-1] for char in text[:_TEXT_CHARACTERS_MAX])
    return shown if len(text) <= _TEXT_CHARACTERS_MAX else f"{shown}… ({len(text)} characters)"
