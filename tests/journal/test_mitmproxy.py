"""mitmproxy's flow files: one that mitmproxy wrote, and whatever else may be in a file."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replay_proxy.errors import RecordingError
from replay_proxy.journal.interchange.foreign.formats import Format, ImportTally, detect, records
from replay_proxy.journal.interchange.foreign.mitmproxy import flows
from replay_proxy.journal.interchange.foreign.tnetstring import MAX_DEPTH, NotTagged, values
from replay_proxy.journal.interchange.import_ import import_files
from tests.support.clients import client
from tests.support.processes import Proxy, amount

GOLDEN = Path(__file__).parents[1] / "golden" / "foreign" / "flows.mitm"


def test_flows_that_mitmproxy_wrote() -> None:
    assert detect(GOLDEN) is Format.MITMPROXY
    tally = ImportTally()
    found = list(records(GOLDEN, tally))
    assert [each.head and f"{each.head.service}:{each.head.operation}" for each in found] == [
        "s3:CreateBucket",
        "s3:PutObject",
        "sqs:CreateQueue",
        "sqs:SendMessage",
        "ec2:CreateVpc",
    ]
    assert tally.left_out == {"it failed": 2, "it only reads": 1}
    assert found[1].request.target == "/flows/a%20b/%C3%A9.bin"
    assert found[1].request.body == bytes(range(256))
    assert b"vpc-220de678f15ab2800" in bytes(found[4].answer.body)  # type: ignore[arg-type]  # a body in memory
    assert found[0].time == "2026-11-21T04:29:21.187421Z"
    assert all(each.notes["answer"] == "complete" for each in found)
    assert b"SESSIONTOKENSECRET" in GOLDEN.read_bytes()
    assert not [each for each in found if "SESSIONTOKENSECRET" in repr(each) or "Signature=" in repr(each)]


@pytest.mark.emulator
async def test_flows_become_a_recording_that_restores(start_proxy: Any, tmp_path: Path) -> None:
    report = await import_files([GOLDEN], tmp_path / "recordings")
    assert report.imported == 5
    proxy: Proxy = start_proxy()
    assert proxy.status()["last_restore"]["problems"] == []
    body = client("s3", proxy.url).get_object(Bucket="flows", Key="a b/é.bin")["Body"].read()
    assert body == bytes(range(256))
    vpcs = client("ec2", proxy.url).describe_vpcs(VpcIds=["vpc-220de678f15ab2800"])["Vpcs"]
    assert [each["CidrBlock"] for each in vpcs] == ["10.0.0.0/16"]


def written(value: Any) -> bytes:
    """A value as a tagged netstring, by the specification."""
    match value:
        case None:
            content, tag = b"", b"~"
        case bool():
            content, tag = str(value).lower().encode(), b"!"
        case int():
            content, tag = str(value).encode(), b"#"
        case float():
            content, tag = repr(value).encode(), b"^"
        case str():
            content, tag = value.encode(), b";"
        case bytes():
            content, tag = value, b","
        case list():
            content, tag = b"".join(map(written, value)), b"]"
        case dict():
            content, tag = b"".join(written(key) + written(each) for key, each in value.items()), b"}"
    return b"%d:%s%s" % (len(content), content, tag)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.binary(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])) | st.binary(), inner)
    ),
)


@settings(deadline=None)
@given(st.lists(VALUES))
def test_what_is_written_is_read(content: list[Any]) -> None:
    assert [value for _offset, value in values(io.BytesIO(b"".join(map(written, content))))] == content


def drained(path: Path) -> None:
    try:
        for flow in flows(path):
            assert flow.request.method.isascii() or flow.request.method
    except RecordingError as error:
        assert any(word in error.message for word in ("mitmproxy", "compressed", "archive", "UTF-16"))


@settings(max_examples=amount(100, 300), deadline=None)
@given(place=st.integers(0, 24016), junk=st.binary(max_size=8), dropped=st.integers(0, 8))
def test_a_damaged_file_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, place: int, junk: bytes, dropped: int
) -> None:
    content = GOLDEN.read_bytes()
    path = tmp_path_factory.getbasetemp() / "damaged.mitm"
    path.write_bytes(content[:place] + junk + content[place + dropped :])
    drained(path)


@settings(max_examples=amount(100, 300), deadline=None)
@given(VALUES | st.fixed_dictionaries({"type": st.just("http"), "request": VALUES, "response": VALUES}), st.binary())
def test_noise_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, value: Any, noise: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "noise.mitm"
    path.write_bytes(written(value) + noise)
    drained(path)


@pytest.mark.parametrize(
    "content",
    [
        b"5:abc,",
        b"3:abc",
        b"3:abc?",
        b"999999999999:abc,",
        b"99999999999999999999999999",
        b"4:true,4:maybe!",
        b"100:" + b"1" * 100 + b"#",
        b"5:1:a,}",
        b"4:1:\xff;]",
        b"8:0:~1:a,}",
    ],
)
def test_what_is_no_tagged_netstring(content: bytes) -> None:
    with pytest.raises(NotTagged):
        list(values(io.BytesIO(content)))


def test_nesting_is_bounded() -> None:
    value: Any = None
    for _ in range(MAX_DEPTH + 2):
        value = [value]
    with pytest.raises(NotTagged, match="deep"):
        list(values(io.BytesIO(written(value))))
