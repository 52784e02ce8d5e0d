"""What two values that differ have to say: which pairs of identifiers are in them.

A recorded and a replayed value in the same place (`arn:aws:sns:us-east-1:1:t:<uuid>` twice, with two UUIDs) are split
at the same delimiters; where the pieces differ, they are pairs. An ARN gives its account and region by position. What
does not split alike is one identifier as a whole (base64, an upload id). Nothing is learned from values that are no
identifiers: texts with spaces, dates, plain numbers, versions, words.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from replay_proxy.identifiers import tokens
from replay_proxy.identifiers.aliases import Kind

LONGEST = 2048
"""Characters. Longer values are documents, not identifiers."""

_WHOLE = re.compile(r"[A-Za-z0-9/$][A-Za-z0-9._~+/=:@|,$#?&%!*\[\]-]*")
_SPLIT = re.compile(r"([^A-Za-z0-9_-]+)")
_DATE = re.compile(
    r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?)?(?:Z|[+-]\d\d:?\d\d)?"
    r"|(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), .*"
    r"|\d{8}T\d{6}Z"
)
_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")
_NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)*")
_ACCOUNT = re.compile(r"\d{12}")
_VERSION = re.compile(r"v\d+(?:\.\d+)*|\d+(?:\.\d+)+[a-z-]*\d*|\$LATEST")
_ARN = re.compile(r"arn:(aws[a-z-]*):([a-z0-9-]*):([a-z0-9-]*):(\d{12}|aws|)?:(.+)")
_NOBODYS = re.compile(r"127\.0\.0\.1|0\.0\.0\.0|255\.255\.255\.255|169\.254\.\d{1,3}\.\d{1,3}")
"""Addresses that mean the same to everybody, and so never anybody's."""
_URL = re.compile(r"[a-z][a-z0-9+.-]*://[^\s]+")
_HOST = re.compile(r"[A-Za-z0-9_-]+\.(?:[a-z0-9-]+\.)*[a-z][a-z0-9-]+(?::\d+)?")
"""Emulators write domains in small letters; with capital ones it is base64 with dots in it (LocalStack's version ids)."""
_DOTTED_BASE64 = re.compile(r"(?=.*[a-z])(?=.*[A-Z])(?=.*\d)[A-Za-z0-9._]{24,}")
_MIXED = re.compile(r"(?=.*[a-z])(?=.*[A-Z])[A-Za-z0-9._-]{24,}")
_PIECE = re.compile(r"[A-Za-z0-9]+")
_WORD_AND_NUMBER = re.compile(r"[A-Za-z]{3,}\d{1,4}")
_DASHED_ADDRESS = re.compile(r"(?:^|-)\d{1,3}-\d{1,3}-\d{1,3}-\d{1,3}$")
_CONSONANTS = re.compile(r"[bcdfghjklmnpqrstvwxz]{4}", re.IGNORECASE)
_SHORTEST_PIECE = 6
_LONG_ENOUGH = 8
"""Digits. Shorter numbers are versions and counters; longer ones in a member that names something came out of a
generator (a random hexadecimal id of eight characters has no letter in one case of forty)."""
# What differs between two signed URLs of one thing.
_SIGNATURE = re.compile(
    r"(?:X-Amz-[A-Za-z-]+|AWSAccessKeyId|Signature|Expires|Key-Pair-Id|Policy)=[^&#]*&?", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two strings that name the same thing."""

    client: str
    emulator: str
    kind: Kind = Kind.IDENTIFIER


def pairs(client: str, emulator: str, *, trusted: bool) -> list[Pair] | None:
    """The pairs in two values of one member; None where they differ in a way that is no matter of identifiers.

    trusted: the member's name says that its values are identifiers; then they need not look random.
    """
    if client == emulator:
        return []
    if max(len(client), len(emulator)) > LONGEST or not client.isascii() or not emulator.isascii():
        return None
    if _NOBODYS.fullmatch(client) or _NOBODYS.fullmatch(emulator):
        return None
    if tokens.is_address(client.encode()) and tokens.is_address(emulator.encode()):
        same = client.count(":") == emulator.count(":")
        return [Pair(client, emulator, Kind.ADDRESS)] if same else None
    if not _WHOLE.fullmatch(client) or not _WHOLE.fullmatch(emulator):
        return None
    arns = _ARN.fullmatch(client), _ARN.fullmatch(emulator)
    if arns[0] and arns[1]:
        return _arn_pairs(arns[0], arns[1])
    if _is_url(client) and _is_url(emulator):
        return _url_pairs(client, emulator)
    if not trusted and any(_is_plain_value(text) or text.isdigit() for text in (client, emulator)):
        return None
    if _is_stamp(client) and _is_stamp(emulator):
        return [Pair(client, emulator)] if trusted else None
    if _ACCOUNT.fullmatch(client) and _ACCOUNT.fullmatch(emulator):
        return [Pair(client, emulator, Kind.ACCOUNT)] if trusted else None
    return _text_pairs(client, emulator, trusted=trusted)


def _arn_pairs(client: re.Match[str], emulator: re.Match[str]) -> list[Pair] | None:
    if client[1] != emulator[1] or client[2] != emulator[2]:
        return None
    out = []
    if client[3] != emulator[3]:
        if not client[3] or not emulator[3]:
            return None
        out.append(Pair(client[3], emulator[3], Kind.REGION))
    if client[4] != emulator[4]:
        if not _ACCOUNT.fullmatch(client[4]) or not _ACCOUNT.fullmatch(emulator[4]):
            return None
        out.append(Pair(client[4], emulator[4], Kind.ACCOUNT))
    resource = _text_pairs(client[5], emulator[5], trusted=True) if client[5] != emulator[5] else []
    return None if resource is None else out + resource


def _url_pairs(client: str, emulator: str) -> list[Pair] | None:
    """Pairs in two URLs. Where they point to is no matter of identifiers, except for what stands before the host."""
    one, two = urlsplit(client), urlsplit(emulator)
    out = _host_pairs(one.netloc, two.netloc)
    rest = without_authority(client), without_authority(emulator)
    inner = _text_pairs(*rest, trusted=True) if rest[0] != rest[1] else []
    return out + (inner or []) if out or inner is not None else None


def _host_pairs(client: str, emulator: str, *, trusted: bool = False) -> list[Pair]:
    """Pairs in the first labels of two hosts: `a1b2c3.execute-api.…`."""
    one, two = (host.partition(":")[0].split(".") for host in (client, emulator))
    if len(one) < 2 or len(two) < 2:
        return []
    return [Pair(a, b) for a, b in zip(one[:1], two[:1], strict=True) if a != b and _is_token(a, b, trusted=trusted)]


def _text_pairs(client: str, emulator: str, *, trusted: bool) -> list[Pair] | None:
    if _is_token(client, emulator, trusted=trusted):
        return [Pair(client, emulator)]
    if _is_plain_value(client) or _is_plain_value(emulator):
        return None
    one, two = _SPLIT.split(client), _SPLIT.split(emulator)
    stamped = _STAMP.search(client) and _STAMP.search(emulator)
    if not stamped and len(one) == len(two) and one[1::2] == two[1::2]:
        differing = [(a, b) for a, b in zip(one[::2], two[::2], strict=True) if a != b]
        if len(differing) == 1 or (trusted and len(differing) * 2 < len(one)):
            out = _token_pairs(differing, trusted=trusted)
            if out is not None or set(one[1::2]) != {"."}:
                return out
    if stamped and not trusted:
        return None
    if _HOST.fullmatch(client) and _HOST.fullmatch(emulator) and trusted:
        return _host_pairs(client, emulator, trusted=True) or None
    if _is_compound(client) and _is_compound(emulator):
        return [Pair(client, emulator)]
    return [Pair(client, emulator)] if trusted and _are_throws(client, emulator) else None


def _are_throws(client: str, emulator: str) -> bool:
    """Whether two long strings look like two throws of one generator, though one of them may have no digit."""
    return (
        len(client) == len(emulator)
        and all(_MIXED.fullmatch(text) is not None for text in (client, emulator))
        and sum(a != b for a, b in zip(client, emulator, strict=True)) * 2 > len(client)
    )


def _token_pairs(differing: list[tuple[str, str]], *, trusted: bool) -> list[Pair] | None:
    out = []
    for client, emulator in differing:
        if _ACCOUNT.fullmatch(client) and _ACCOUNT.fullmatch(emulator):
            out.append(Pair(client, emulator, Kind.ACCOUNT))
        elif _is_token(client, emulator, trusted=trusted):
            out.append(Pair(client, emulator))
        else:
            return None
    return out


def _is_token(client: str, emulator: str, *, trusted: bool) -> bool:
    """Whether two single runs can be identifiers.

    Both must look as if a generator made them. In a member that names something it is enough that they look like two
    throws of one generator, because a short random string has no digit now and then. Words, zones and versions must
    never become aliases: `default` for `dopt-00000001` would change every message.
    """
    texts = (client, emulator)
    if not all(tokens.is_run(text.encode()) for text in texts):
        return False
    looks_made = [looks_generated(text) for text in texts]
    if all(looks_made):
        return True
    if not trusted or any(_is_plain_value(text) for text in texts):
        return False
    one, two = _less_common_prefix(client, emulator)
    if len(one) == len(two) >= _SHORTEST_PIECE and _mostly_differ(one, two):
        return True
    # `pool_hTkRwx` for `pool_f2bea4af` is no word that could stand elsewhere; a word alone could.
    prefixed = len(one) < len(client)
    return any(looks_made) and all(
        made or prefixed or _is_unpronounceable(text) for made, text in zip(looks_made, texts, strict=True)
    )


def looks_generated(text: str) -> bool:
    """Whether a run has a piece that reads like a generator's work: a long number, or letters and digits mixed."""
    return _DASHED_ADDRESS.search(text) is not None or any(map(_is_generated, _PIECE.findall(text)))


def _is_generated(piece: str) -> bool:
    if len(piece) < _SHORTEST_PIECE:
        return False
    if piece.isdigit():
        return len(piece) >= _LONG_ENOUGH
    return _has_digit(piece) and not _WORD_AND_NUMBER.fullmatch(piece)


def _less_common_prefix(client: str, emulator: str) -> tuple[str, str]:
    """Both without the words they begin with in common: `secret-bKDTOo` and `secret-dyqKRF` without `secret-`."""
    start = 0
    for index, (a, b) in enumerate(zip(client, emulator, strict=False)):
        if a != b:
            break
        if a in "-_":
            start = index + 1
    return client[start:], emulator[start:]


def _is_unpronounceable(text: str) -> bool:
    return len(text) >= _LONG_ENOUGH and _CONSONANTS.search(text) is not None


def _mostly_differ(client: str, emulator: str) -> bool:
    """Whether two strings of one length differ in most places from their first difference on."""
    differing = [a != b for a, b in zip(client, emulator, strict=True)]
    rest = differing[differing.index(True) :]
    return sum(rest) * 2 > len(rest)


def _is_compound(text: str) -> bool:
    runs = [run.decode() for run in tokens.RUN.findall(text.encode())]
    if _STAMP.search(text) or _DOTTED_BASE64.fullmatch(text):
        return True
    return len(text) >= 12 and any(map(looks_generated, runs))


def _is_plain_value(text: str) -> bool:
    """Numbers, dates and versions: values of their own, whoever made them."""
    if _NUMBER.fullmatch(text):
        return not (text.isdigit() and len(text) >= _LONG_ENOUGH)
    return bool(_DATE.fullmatch(text) or _VERSION.fullmatch(text)) or len(text) < tokens.MIN_RUN


def without_authority(text: str) -> str:
    """A URL less what it points to, which is `endpoints`' business, and less its signature; other text as it is."""
    if not _is_url(text):
        return text
    parts = urlsplit(text)
    return f"//{parts.path}?{_SIGNATURE.sub('', parts.query)}#{parts.fragment}"


def _is_url(text: str) -> bool:
    try:
        return _URL.fullmatch(text) is not None and bool(urlsplit(text).netloc)
    except ValueError:  # an address in brackets that is none
        return False


def _is_stamp(text: str) -> bool:
    return _DATE.fullmatch(text) is not None


def _has_digit(text: str) -> bool:
    return any(c.isdigit() for c in text)
