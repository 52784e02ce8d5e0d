from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay_proxy.footprint.members.payload_members import ALL
from replay_proxy.identifiers.rewriting.body import cbor
from replay_proxy.identifiers.rewriting.body.payload import ITEM, VALUE
from replay_proxy.wire.codecs.protocols.cbor import load_cbor


def encoded(value: Any, *, indefinite: bool = False) -> bytes:
    def head(major: int, size: int) -> bytes:
        if size < 24:
            return bytes((major << 5 | size,))
        width = next(w for w in range(4) if size < 1 << (8 << w))
        return bytes((major << 5 | 24 + width,)) + size.to_bytes(1 << width, "big")

    if isinstance(value, bool) or value is None:
        return {True: b"\xf5", False: b"\xf4", None: b"\xf6"}[value]
    if isinstance(value, int):
        return head(0, value) if value >= 0 else head(1, -1 - value)
    if isinstance(value, str):
        data = value.encode()
        if indefinite:
            return b"\x7f" + head(3, len(data)) + data + b"\xff"
        return head(3, len(data)) + data
    if isinstance(value, bytes):
        return head(2, len(value)) + value
    if isinstance(value, list):
        items = b"".join(encoded(item, indefinite=indefinite) for item in value)
        return b"\x9f" + items + b"\xff" if indefinite else head(4, len(value)) + items
    items = b"".join(encoded(k) + encoded(v, indefinite=indefinite) for k, v in value.items())
    return b"\xbf" + items + b"\xff" if indefinite else head(5, len(value)) + items


def changed(value: Any, old: str, new: str) -> Any:
    if isinstance(value, str):
        return value.replace(old, new)
    if isinstance(value, list):
        return [changed(item, old, new) for item in value]
    if isinstance(value, dict):
        return {changed(k, old, new): changed(v, old, new) for k, v in value.items()}
    return value


documents = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**40), 2**40)
    | st.text(max_size=10)
    | st.binary(max_size=10)
    | st.builds("{}ID{}".format, st.text(max_size=300), st.text(max_size=5)),
    lambda inner: st.lists(inner, max_size=30) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


@given(documents, st.booleans(), st.sampled_from(["x" * 30, "y", "ID"]))
def test_exactly_the_text_strings_change(document: Any, indefinite: bool, new: str) -> None:
    body = encoded(document, indefinite=indefinite)
    result = cbor.rewrite_texts(body, {}, lambda text: text.replace(b"ID", new.encode()))
    assert load_cbor(result) == changed(document, "ID", new)
    if changed(document, "ID", new) == document:
        assert result is body


def test_what_the_tree_marks_stays() -> None:
    document = {"StreamName": "ID", "Records": [{"Key": "ID", "Data": "ID"}], "Map": {"ID": "ID"}}
    tree = {"Records": {ITEM: {"Data": ALL}}, "Map": {VALUE: ALL}}
    body = cbor.rewrite_texts(encoded(document), tree, lambda text: text.replace(b"ID", b"NEW"))
    assert load_cbor(body) == {
        "StreamName": "NEW",
        "Records": [{"Key": "NEW", "Data": "ID"}],
        "Map": {"NEW": "ID"},
    }


@pytest.mark.parametrize("body", [b"\xa1", b"\x62a", b"\x7f\x61a", b"\x81" * 300 + b"\x00", b"\x61a\x00", b"\x1c", b""])
def test_what_is_not_one_item_is_left_alone(body: bytes) -> None:
    assert cbor.rewrite_texts(body, {}, lambda text: b"changed") is body
