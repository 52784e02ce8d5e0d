"""The pairs of identifiers in two values that differ.

A recorded and a replayed value in the same place (`arn:aws:sns:us-east-1:1:t:<uuid>` twice, with two UUIDs) are split
at the same delimiters; where the pieces differ, they are pairs. What does not split alike is one identifier as a whole
(base64, an upload id).

Whether a value is an identifier is told by its member, never by its look. What it may be a pair with is told by its kind:

- An account is a pair with an account only, and a region with a region. Members that hold accounts, and the positions in
  ARNs, say which is which. An ARN that shows another account or region than that of its call teaches neither, since the
  other emulator need not know that place by one name. Nor does a call teach another name for the region that it named
  itself: the emulator was asked in that region, and what it shows in another one is elsewhere.
- A part of an ARN is a pair with the same part of an ARN of the same service and type of resource. Where an ARN begins with
  a name in place of a type (a subscription's with that of its topic), both names must be known to stand for one thing.
- Addresses are pairs with addresses of their kind, URLs with URLs; hosts are taken label by label, also where the port of the
  proxy stands behind them. The address of the proxy is a pair with none: that of the emulator is shown as it everywhere
  (`rewriting.endpoints`).
- Dotted numbers and texts of several lines are no identifiers, and a point in time only where its member names something.

In a member of which nothing is known, only what stands for one thing wherever it occurs teaches (`table.distinctive`), or is
drawn like that (`table.drawn_forms`): of letters alone, where the other one has digits, too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from replay_proxy.identifiers.table import tokens
from replay_proxy.identifiers.table.alias_table import AliasKind
from replay_proxy.identifiers.table.distinctive import is_distinctive
from replay_proxy.identifiers.table.drawn_forms import are_drawn_alike
from replay_proxy.identifiers.table.networks import network_of

VALUE_CHARACTERS_MAX = 2048
"""Longer values are documents, not identifiers."""

_WHOLE = re.compile(r"[A-Za-z0-9/$][A-Za-z0-9._~+/=:@|,$#?&%!*\[\]-]*")
_LINE = re.compile(r"[!-~](?:[ -~]*[!-~])?")
_SPLIT = re.compile(r"([^A-Za-z0-9_-]+)")
_DATE = re.compile(
    r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?)?(?:Z|[+-]\d\d:?\d\d)?"
    r"|(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), .*"
    r"|\d{8}T\d{6}Z"
)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")
_DOTTED_NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)+[a-z-]*\d*|\$LATEST")
_ACCOUNT = re.compile(r"\d{12}")
_ARN = re.compile(r"arn:(aws[a-z-]*):([a-z0-9-]*):([a-z0-9-]*):(\d{12}|aws|)?:(.+)")
_DELIMITER = re.compile(r"[:/]")
_RESERVED_ADDRESS = re.compile(r"127\.0\.0\.1|0\.0\.0\.0|255\.255\.255\.255|169\.254\.\d{1,3}\.\d{1,3}")
"""Addresses that mean the same everywhere, and so belong to no resource."""
_URL = re.compile(r"[a-z][a-z0-9+.-]*://[^\s]+")
_HOST = re.compile(r"[A-Za-z0-9_-]+\.(?:[a-z0-9-]+\.)*[a-z][a-z0-9-]+(?::\d+)?")
"""Emulators write domains in small letters; with capital ones it is base64 with dots in it (LocalStack's version ids)."""
_AUTHORITY_WITH_PORT = re.compile(r"(?:[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:]+\]):\d{1,5}")
# The parameters that differ between two signed URLs of one thing.
_SIGNATURE = re.compile(
    r"(?:X-Amz-[A-Za-z-]+|AWSAccessKeyId|Signature|Expires|Key-Pair-Id|Policy)=[^&#]*&?", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two strings that name the same thing."""

    client: str
    emulator: str
    kind: AliasKind = AliasKind.IDENTIFIER


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose answer it is.

    account, region: of the call; empty where it named none. owns: what the answer shows belongs to the caller, because
    the call made it. Without this, an account in a member may be anybody's. made_account: it shows an account that was made for
    the caller. times: the points in time that each of the two
    answers shows, in whole seconds since 1970: a number in an ARN that is one of them is no revision.
    is_pair: tells of a client's and an emulator's text whether they are known to name the same thing.
    host: the `Host` of the call, by which the client has reached the proxy.
    """

    account: str = ""
    region: str = ""
    owns: bool = True
    made_account: bool = False
    times: tuple[frozenset[str], frozenset[str]] = (frozenset(), frozenset())
    is_pair: Callable[[str, str], bool] = str.__eq__
    host: str = ""


ANYBODY = Caller()


def pairs(
    client: str, emulator: str, *, trusted: bool, caller: Caller = ANYBODY, is_account: bool = False
) -> list[Pair] | None:
    """Return the pairs in two values of one member; None where they differ in something else than identifiers.

    trusted: the values of the member are identifiers. is_account: they are accounts.
    """
    if client == emulator:
        return []
    if max(len(client), len(emulator)) > VALUE_CHARACTERS_MAX:
        return None
    found = _pairs(client, emulator, trusted, caller, is_account=is_account)
    if found and not all(pair.client.isascii() and pair.emulator.isascii() for pair in found):
        return None  # identifiers are looked for as words of ASCII; beside them a name may have any letters
    return found


def _pairs(client: str, emulator: str, trusted: bool, caller: Caller, *, is_account: bool) -> list[Pair] | None:
    if (paths := behind_own_authorities(client, emulator, caller.host)) is not None:
        return _text_pairs(*paths, caller, trusted=True) if paths[0] != paths[1] else []
    if is_account and _DELIMITER.search(client) is None:
        return _account_pair(client, emulator, caller)
    if _is_address(client) or _is_address(emulator):
        return _address_pair(client, emulator)
    if network_of(client) or network_of(emulator):
        return None  # `drawn_values` pairs blocks
    kinds = _kind(client), _kind(emulator)
    if kinds[0] != kinds[1]:
        return None
    if kinds[0] == "time":
        return [Pair(client, emulator)] if trusted else None
    one, two = _ARN.fullmatch(client), _ARN.fullmatch(emulator)
    if one and two:
        return _arn_pairs(one, two, caller)
    if kinds[0] == "url":
        return _url_pairs(client, emulator, caller)
    if not _WHOLE.fullmatch(client) or not _WHOLE.fullmatch(emulator):
        return _text_with_spaces(client, emulator) if trusted else None
    return _text_pairs(client, emulator, caller, trusted=trusted)


def _kind(text: str) -> str:
    """Return what the syntax of a text says it is; nothing in most texts."""
    if _ARN.fullmatch(text):
        return "arn"
    if _is_url(text):
        return "url"
    return "time" if _DATE.fullmatch(text) else ""


def _is_address(text: str) -> bool:
    return tokens.is_address(text.encode())


def _address_pair(client: str, emulator: str) -> list[Pair] | None:
    if not _is_address(client) or not _is_address(emulator) or client.count(":") != emulator.count(":"):
        return None
    if _RESERVED_ADDRESS.fullmatch(client) or _RESERVED_ADDRESS.fullmatch(emulator):
        return None
    return [Pair(client, emulator, AliasKind.ADDRESS)]


def _account_pair(client: str, emulator: str, caller: Caller) -> list[Pair] | None:
    """Return the pair of two accounts; of one and something else (`amazon`) none."""
    if not _ACCOUNT.fullmatch(client) or not _ACCOUNT.fullmatch(emulator):
        return None
    mine = caller.made_account or (caller.owns and caller.account in ("", client))
    return [Pair(client, emulator, AliasKind.ACCOUNT)] if mine else []


def _arn_pairs(client: re.Match[str], emulator: re.Match[str], caller: Caller) -> list[Pair] | None:
    if client[1] != emulator[1] or client[2] != emulator[2]:
        return None
    out = []
    foreign = (client[3] and caller.region not in ("", client[3])) or (
        client[4] and caller.account not in ("", client[4])
    )
    if not foreign:
        if client[3] != emulator[3] and client[3] and emulator[3] and not caller.region:
            out.append(Pair(client[3], emulator[3], AliasKind.REGION))
        if client[4] != emulator[4] and _ACCOUNT.fullmatch(client[4]) and _ACCOUNT.fullmatch(emulator[4]):
            out.append(Pair(client[4], emulator[4], AliasKind.ACCOUNT))
    if client[5] == emulator[5]:
        return out
    one, two = (_DELIMITER.split(match[5], maxsplit=1) for match in (client, emulator))
    if len(one) != len(two):
        return out
    if len(one) == 1 or one[0] == two[0]:
        return out + (_text_pairs(client[5], emulator[5], caller, trusted=True) or [])
    if one[1] == two[1] or not caller.is_pair(one[0], two[0]):
        return out
    return out + (_text_pairs(one[1], two[1], caller, trusted=True) or [])


def begins_with_other(client: str, emulator: str) -> bool:
    """Return whether two values are ARNs that begin with different types, or names, and go on."""
    one, two = (_ARN.fullmatch(text) for text in (client, emulator))
    if one is None or two is None:
        return False
    first, second = (_DELIMITER.split(match[5], maxsplit=1) for match in (one, two))
    return len(first) == len(second) == 2 and first[0] != second[0]


def _url_pairs(client: str, emulator: str, caller: Caller) -> list[Pair] | None:
    one, two = urlsplit(client), urlsplit(emulator)
    if one.scheme != two.scheme and not {one.scheme, two.scheme} <= {"http", "https"}:
        return None
    if one.scheme not in ("http", "https"):  # `s3://bucket/key` names no host
        out = _text_pairs(one.netloc, two.netloc, caller, trusted=True) or [] if one.netloc != two.netloc else []
    else:
        out = _host_pairs(one.netloc, two.netloc, caller)
    rest = without_authority(client), without_authority(emulator)
    inner = _text_pairs(*rest, caller, trusted=True) if rest[0] != rest[1] else []
    return out + (inner or []) if out or inner is not None else None


def _host_pairs(client: str, emulator: str, caller: Caller) -> list[Pair]:
    """Return the pairs in the labels of two hosts, as in `a1b2c3.gr7.us-east-1.eks.…`.

    Labels that are too short to be looked for alone are a pair together with their neighbours. Where hosts have different
    domains, because emulators have, only the first label names something.
    """
    one, two = (host.partition(":")[0].split(".") for host in (client, emulator))
    if len(one) < 2 or len(two) < 2 or any(map(_is_address, (".".join(one), ".".join(two)))):
        return []
    if len(one) != len(two):
        same_service = one[1] == two[1] or all(map(is_distinctive, (one[0], two[0])))
        return _label_pairs([(one[0], two[0])], caller) if one[0] != two[0] and same_service else []
    differing = [at for at, (a, b) in enumerate(zip(one, two, strict=True)) if a != b]
    if not differing or len(differing) == len(one):
        return (
            _label_pairs([(one[0], two[0])], caller)
            if differing and one[0] != two[0] and is_distinctive(one[0])
            else []
        )
    first, last = differing[0], differing[-1]
    if all(_is_word(one[at]) and _is_word(two[at]) for at in differing):
        return _label_pairs([(one[at], two[at]) for at in differing], caller)
    whole = ".".join(one[first : last + 1]), ".".join(two[first : last + 1])
    return [Pair(*whole)] if all(map(_is_findable, whole)) else []


def _names_own_port(client: str, emulator: str, caller: Caller) -> bool:
    """Return whether two texts are hosts with ports, of which the client's is that of the proxy."""
    _, colon, port = caller.host.rpartition(":")
    is_own = bool(colon) and client.rpartition(":")[2] == port and ":" in emulator
    return is_own and _HOST.fullmatch(client) is not None and _HOST.fullmatch(emulator) is not None


def _label_pairs(labels: Sequence[tuple[str, str]], caller: Caller) -> list[Pair]:
    out = []
    for client, emulator in labels:
        if _ACCOUNT.fullmatch(client) and _ACCOUNT.fullmatch(emulator):
            out += _account_pair(client, emulator, caller) or []
        elif not _is_place(client, caller) and not _is_place(emulator, caller):
            alone = is_distinctive(client) and is_distinctive(emulator)
            out.append(Pair(client, emulator, AliasKind.IDENTIFIER if alone else AliasKind.HOST))
    return [pair for pair in out if _is_word(pair.client) and _is_word(pair.emulator)]


def _text_pairs(client: str, emulator: str, caller: Caller, *, trusted: bool) -> list[Pair] | None:
    if _is_word(client) and _is_word(emulator):
        if _is_place(client, caller) or _is_place(emulator, caller) or not _teaches(client, emulator, trusted=trusted):
            return None
        return [Pair(client, emulator)]
    if any(_DOTTED_NUMBER.fullmatch(text) for text in (client, emulator)):
        return None
    if trusted and _names_own_port(client, emulator, caller):
        return _host_pairs(client, emulator, caller) or None
    one, two = _SPLIT.split(client), _SPLIT.split(emulator)
    stamped = _TIME.search(client) and _TIME.search(emulator)
    if not stamped and len(one) == len(two) and one[1::2] == two[1::2]:
        differing = [at for at in range(0, len(one), 2) if one[at] != two[at]]
        if len(differing) == 1 or (trusted and len(differing) * 2 < len(one)):
            out = _piece_pairs(one, two, differing, caller, trusted=trusted)
            if out is not None or set(one[1::2]) != {"."}:
                return out
    if stamped and not trusted:
        return None
    if _HOST.fullmatch(client) and _HOST.fullmatch(emulator) and trusted:
        return _host_pairs(client, emulator, caller) or None
    if not all(map(_is_findable, (client, emulator))) or not _teaches(client, emulator, trusted=trusted):
        return None
    return [Pair(client, emulator)]


def _piece_pairs(
    one: list[str], two: list[str], differing: list[int], caller: Caller, *, trusted: bool
) -> list[Pair] | None:
    """Return the pairs in the pieces of two texts that differ; None where a piece can be none."""
    out = []
    for at in differing:
        client, emulator = one[at], two[at]
        if _ACCOUNT.fullmatch(client) and _ACCOUNT.fullmatch(emulator):
            out += _account_pair(client, emulator, caller) or []
        elif at and one[at - 1] == ":" and client in caller.times[0] and emulator in caller.times[1]:
            # Things of several seconds can be made anew in one: with the name before it, a time stands for one thing.
            out.append(Pair("".join(one[at - 2 : at + 1]), "".join(two[at - 2 : at + 1])))
        elif at and one[at - 1] == ":" and client.isdigit() and emulator.isdigit():
            return None  # a revision, which counts
        elif (
            not (_is_word(client) and _is_word(emulator))
            or _is_place(client, caller)
            or _is_place(emulator, caller)
            or not _teaches(client, emulator, trusted=trusted)
        ):
            return None
        else:
            out.append(Pair(client, emulator))
    return out


def _text_with_spaces(client: str, emulator: str) -> list[Pair] | None:
    """Return the pair of two identifiers that are no single words, as wholes."""
    fit = all(_LINE.fullmatch(text) and _is_findable(text) and text[:1] not in "{[<" for text in (client, emulator))
    return [Pair(client, emulator)] if fit else None


def _teaches(client: str, emulator: str, *, trusted: bool) -> bool:
    return trusted or (are_drawn_alike(client, emulator) and not client.isdigit() and not emulator.isdigit())


def _is_place(text: str, caller: Caller) -> bool:
    """Return whether a text is the account or the region of the call, and so no identifier."""
    return bool(text) and text in (caller.account, caller.region)


def _is_word(text: str) -> bool:
    return tokens.is_word(text.encode())


def _is_findable(text: str) -> bool:
    return tokens.WORD.search(text.encode()) is not None


def without_authority(text: str) -> str:
    """Return a URL without its authority (see `rewriting.endpoints`) and its signature; other text as it is."""
    if not _is_url(text):
        return text
    parts = urlsplit(text)
    return f"//{parts.path}?{_SIGNATURE.sub('', parts.query)}#{parts.fragment}"


def behind_own_authorities(client: str, emulator: str, host: str) -> tuple[str, str] | None:
    """Return what stands behind the proxy's own authority and the emulator's, where two texts begin with them; else None.

    They have no scheme, as the address of `DescribeEndpoints`. host: the `Host` by which the client has reached the proxy.
    """
    own, slash, path = client.partition("/")
    if not own or not f".{host.lower()}".endswith(f".{own.lower()}"):
        return None
    other, slash_there, path_there = emulator.partition("/")
    return (path, path_there) if slash == slash_there and _AUTHORITY_WITH_PORT.fullmatch(other) else None


def _is_url(text: str) -> bool:
    try:
        return _URL.fullmatch(text) is not None and bool(urlsplit(text).netloc)
    except ValueError:  # an address in brackets that is none
        return False
