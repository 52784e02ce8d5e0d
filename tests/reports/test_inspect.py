"""`replay-proxy inspect`, as a person and a program call it."""

from __future__ import annotations

import gzip
import io
import json
import subprocess
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from replay_proxy.cli.main import main
from tests.reports.shop import write_shop
from tests.resources.recordings import ACCOUNT, REGION, Tape, queue, queue_url
from tests.support.processes import replay_proxy

SCHEMAS = Path(__file__).resolve().parents[2] / "docs" / "schemas"
SCHEMA = json.loads((SCHEMAS / "inspect.schema.json").read_text())
Inspect = Callable[..., tuple[int, str, str]]


@pytest.fixture
def inspect(capsys: pytest.CaptureFixture[str]) -> Inspect:
    def run(*words: object) -> tuple[int, str, str]:
        code = main(["inspect", *map(str, words)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_shop(tmp_path_factory.mktemp("shop") / "recording")


def checked(text: str, part: str = "") -> Any:
    """A document, after its schema was held against it."""
    document = json.loads(text)
    schema = {**SCHEMA, "$ref": f"#/$defs/{part}"} if part else SCHEMA
    if part:
        schema = {"$schema": SCHEMA["$schema"], "$defs": SCHEMA["$defs"], "$ref": f"#/$defs/{part}"}
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(document, schema, jsonschema.Draft202012Validator)
    return document


def test_a_new_user_finds_who_made_a_queue_what_depends_on_it_and_what_changed_it_last(
    inspect: Inspect, recording: Path
) -> None:
    code, out, err = inspect(recording, "--resource", "orders")
    assert (code, err) == (0, "")
    lines = [line.strip() for line in out.splitlines()]
    assert lines[0] == "AWS::SQS::Queue orders"
    assert "created       call 2  2026-01-31 12:00:02  sqs CreateQueue" in lines
    assert "last changed  call 9  2026-01-31 12:00:09  sqs TagQueue" in lines
    after = lines[lines.index("depended on by") + 1 :]
    assert set(after[:2]) == {
        "<- AWS::Lambda::Function worker: Environment.Variables.QUEUE_URL",
        "<- AWS::Lambda::EventSourceMapping 9a1b: EventSourceArn",
    }
    assert "-> Attributes.RedrivePolicy.deadLetterTargetArn: AWS::SQS::Queue dead" in lines


def test_the_tree_shows_every_resource_in_its_place(inspect: Inspect, recording: Path) -> None:
    _, out, _ = inspect(recording)
    lines = out.splitlines()
    assert lines[:4] == [
        "5 resources, 12 calls (1 failed), 2026-01-31 12:00:01 to 2026-01-31 12:00:12",
        ACCOUNT,
        f"  {REGION}",
        "    dynamodb (1)",
    ]
    assert "      AWS::SQS::Queue  orders  created by 2  changed by 8, 9  1 message, 3 B" in lines
    assert "hunter22" not in out


def test_the_document_keeps_its_contract(inspect: Inspect, recording: Path) -> None:
    document = checked(inspect(recording, "--json")[1])
    assert document["summary"]["types"] == {
        "AWS::DynamoDB::Table": 1,
        "AWS::Lambda::EventSourceMapping": 1,
        "AWS::Lambda::Function": 1,
        "AWS::SQS::Queue": 2,
    }
    (orders,) = [each for each in document["resources"] if each["name"] == "orders"]
    assert (orders["made_by"], orders["last_changed_by"], orders["tags"]) == (2, 9, {"team": "shop"})
    assert orders["id"] == f"{ACCOUNT}/{REGION}/AWS::SQS::Queue/orders"
    assert {each["member"] for each in orders["dependents"]} == {"Environment.Variables.QUEUE_URL", "EventSourceArn"}
    assert [each["error"] for each in document["calls"] if each["error"]] == ["QueueDoesNotExist"]


def test_a_call_in_full_keeps_its_contract(inspect: Inspect, recording: Path) -> None:
    document = checked(inspect(recording, "--call", "4", "--json")[1], "callInFull")
    assert document["request"]["parameters"]["FunctionName"] == "worker"
    assert "hunter22" not in json.dumps(document)
    assert document["aws"].startswith("aws lambda create-function --function-name worker ")
    refused = checked(inspect(recording, "--call", "10", "--json")[1], "callInFull")
    assert refused["answer"] == {"status": 400, "error": "QueueDoesNotExist", "message": ""}
    code, out, _ = inspect(recording, "--call", "2")
    assert code == 0
    assert "command  aws sqs create-queue --queue-name orders" in out
    assert f"QueueUrl: {queue_url('orders')}" in out


@pytest.mark.parametrize(
    ("words", "seqs"),
    [
        (["--failed"], [10]),
        (["--service", "dynamodb"], [3, 7, 12]),
        (["--service", "dynamodb,lambda", "--until", "5"], [3, 4, 5]),
        (["--operation", "put-item"], [7, 12]),
        (["--since", "9", "--until", "2026-01-31T12:00:10Z"], [9, 10]),
        (["--since", "2026-01-31T13:00:11+01:00"], [11, 12]),
        (["--resource", "orders"], [2, 6, 8, 9]),
        (["--resource", f"arn:aws:sqs:{REGION}:{ACCOUNT}:dead"], [1]),
        (["--type", "Queue", "--operation", "CreateQueue"], [1, 2]),
        (["--type", "AWS::Lambda::Function"], [4, 11]),
    ],
)
def test_filters_choose_calls(inspect: Inspect, recording: Path, words: list[str], seqs: list[int]) -> None:
    _, out, _ = inspect(recording, "--calls", *words)
    assert [int(line.split()[0]) for line in out.splitlines()[1:]] == seqs
    document = checked(inspect(recording, "--json", *words)[1])
    assert [each["seq"] for each in document["calls"]] == seqs


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["--type", "queue"], {"orders", "dead"}),
        (["--service", "lambda"], {"worker", "9a1b"}),
        (["--resource", "ord"], {"orders"}),
        (["--operation", "PutItem"], {"items"}),
        (["--failed"], set()),
        (["--since", "11"], {"worker", "items"}),
    ],
)
def test_filters_choose_resources(inspect: Inspect, recording: Path, words: list[str], names: set[str]) -> None:
    document = checked(inspect(recording, "--json", *words)[1])
    assert {each["name"] for each in document["resources"]} == names


def test_a_moment_shows_what_was_there_then(inspect: Inspect, recording: Path) -> None:
    document = checked(inspect(f"{recording}@2", "--json")[1])
    assert {each["name"] for each in document["resources"]} == {"dead", "orders"}
    assert {each["last_changed_by"] for each in document["resources"]} == {1, 2}


def archives(recording: Path, folder: Path) -> dict[str, Path]:
    """The recording in every form in which somebody hands it out."""
    journal = recording / "recorded_api_calls.json"
    found = {"journal": journal, "renamed": folder / "from-ci.json", "gzip": folder / "journal.json.gz"}
    found["renamed"].write_bytes(journal.read_bytes())
    found["gzip"].write_bytes(gzip.compress(journal.read_bytes()))
    for name, inner in (("flat", ""), ("deep", "artifacts/recordings/")):
        found[f"{name}.zip"] = folder / f"{name}.zip"
        with zipfile.ZipFile(found[f"{name}.zip"], "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write(journal, f"{inner}recorded_api_calls.json")
            archive.writestr(f"{inner}other.txt", "x")
        for kind in ("", ":gz", ":xz"):
            path = found[f"{name}.tar{kind}"] = folder / f"{name}.tar{kind.replace(':', '.')}"
            with tarfile.open(path, f"w{kind}") as archive:  # type: ignore[call-overload]
                archive.add(journal, f"{inner}recorded_api_calls.json")
    found["tar in zip"] = folder / "artifact.zip"
    with zipfile.ZipFile(found["tar in zip"], "w") as archive:
        archive.write(found["deep.tar:gz"], "artifact.tar.gz")
    unpacked = folder / "unpacked" / "job-1" / "recording"
    unpacked.mkdir(parents=True)
    (unpacked / "recorded_api_calls.json").write_bytes(journal.read_bytes())
    found["folder above"] = folder / "unpacked"
    return found


def test_it_opens_whatever_ci_systems_hand_out(inspect: Inspect, recording: Path, tmp_path: Path) -> None:
    expected = checked(inspect(recording, "--json")[1])["resources"]
    for name, path in archives(recording, tmp_path).items():
        code, out, err = inspect(path, "--json")
        assert (name, code, err) == (name, 0, "")
        assert (name, checked(out)["resources"]) == (name, expected)


@pytest.mark.parametrize("form", ["flat.zip", "flat.tar:gz", "journal"])
def test_it_reads_standard_input(recording: Path, tmp_path: Path, form: str) -> None:
    content = archives(recording, tmp_path)[form].read_bytes()
    done = subprocess.run([*replay_proxy(), "inspect", "-"], input=content, capture_output=True, timeout=60, check=True)
    assert done.stdout.splitlines()[0].startswith(b"5 resources, 12 calls (1 failed)")


def test_bodies_in_archives_are_found(inspect: Inspect, tmp_path: Path) -> None:
    golden = Path(__file__).resolve().parents[1] / "golden" / "v1"
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as archive:
        archive.add(golden, "x/recording")
    assert inspect(path, "--json")[1].count('"bytes"') == inspect(golden, "--json")[1].count('"bytes"') > 0
    assert [inspect(path, "--call", seq)[0] for seq in (1, 2, 8)] == [0, 0, 0]


def zip_of(**members: bytes) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return content.getvalue()


@pytest.mark.parametrize(
    ("content", "code", "said"),
    [
        (b"\x00\x01\x02 rubbish", 4, "neither a recording nor"),
        (zip_of(readme=b"x"), 4, "there is no recorded_api_calls.json in"),
        (
            zip_of(**{"a/recorded_api_calls.json": b"{}\n", "b/recorded_api_calls.json": b"{}\n"}),
            4,
            "holds 2 recordings",
        ),
        (zip_of(**{"a.zip": zip_of(**{"b.zip": zip_of(**{"c.zip": zip_of(x=b"x")})})}), 4, "archives within"),
        (zip_of(**{"recorded_api_calls.json": b"x" * 100})[:-30], 4, ""),
        (b"\x1f\x8b\x08rubbish", 4, ""),
        (b"no recording at all\n", 4, ""),
        (b'{"format":"replay-proxy-recording","version":99,"id":"a","created":"b"}\n', 4, "newer"),
    ],
)
def test_bad_input_is_an_error_with_a_hint(
    inspect: Inspect, tmp_path: Path, content: bytes, code: int, said: str
) -> None:
    path = tmp_path / "given"
    path.write_bytes(content)
    found, out, err = inspect(path)
    assert (found, out) == (code, "")
    assert err.startswith("error: ")
    assert "Traceback" not in err
    assert said in err
    assert str(path) in err, "and not the file that it was copied to"
    assert "--data-dir" not in err, "another directory is no help"


def test_what_was_unpacked_or_piped_has_the_name_of_what_it_came_from(
    inspect: Inspect, recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = (recording / "recorded_api_calls.json").read_bytes()
    torn, damaged = whole[:-10], whole.replace(b'"orders"', b'"0rders"', 1).replace(b"CreateQueue", b"CreateQueen", 1)
    (tmp_path / "torn.zip").write_bytes(zip_of(**{"recorded_api_calls.json": torn}))
    code, out, err = inspect(tmp_path / "torn.zip", "--json")
    assert code == 0
    assert checked(out)["recording"]["path"] == str(tmp_path / "torn.zip")
    assert f"{tmp_path / 'torn.zip'}: what follows byte" in err
    for words in (["inspect", "-"], ["report", "-", "--markdown", "-"]):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(damaged)))
        assert main(words) == 4
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(damaged)))
    code, out, err = inspect(Path("-"))
    assert code == 4
    assert err.startswith("error: standard input: line ")


def test_names_in_an_archive_leave_no_folder(inspect: Inspect, tmp_path: Path) -> None:
    journal = write_shop(tmp_path / "r") / "recorded_api_calls.json"
    outside = tmp_path / "outside"
    path = tmp_path / "evil.tar"
    with tarfile.open(path, "w") as archive:
        archive.add(journal, "r/recorded_api_calls.json")
        for name in (f"r/blobs/../../{outside.name}", str(outside), f"r/blobs/aa/../../../../{outside.name}"):
            member = tarfile.TarInfo(name)
            member.size = 1
            archive.addfile(member, io.BytesIO(b"x"))
        link = tarfile.TarInfo("r/blobs/aa/" + "a" * 64)
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    assert inspect(path)[0] == 0
    assert not outside.exists()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["nowhere"], 2, "no recording of that name here"),
        (["--since", "yesterday"], 2, "is no moment"),
        (["--call", "99"], 2, "has no call 99"),
    ],
)
def test_mistakes_are_named(inspect: Inspect, recording: Path, words: list[str], code: int, said: str) -> None:
    given = words if words[0] == "nowhere" else [str(recording), *words]
    found, _, err = inspect(*given)
    assert found == code
    assert said in err
    assert "hint: " in err


HOSTILE = [
    "\x1b]0;owned\x07\x1b[2J",
    "\u202egnp.exe",
    "a\u200bb\u2066c",
    "<script>alert(1)</script>",
    "[red]markup[/red] [link=x]y[/]",
    "\x9b31m\x85\x7f",
    "x" * 10_000_000,
    "[" * 900 + "]" * 900,
    '{"a":' * 60 + "1" + "}" * 60,
]


def hostile(folder: Path) -> Path:
    tape = Tape()
    for number, text in enumerate(HOSTILE):
        queue(tape, f"q{number}{text[:200]}", Policy=text)
        tags = {text[:120] + str(number): text}
        tape.call("sqs", "TagQueue", {"QueueUrl": queue_url(f"q{number}{text[:200]}"), "Tags": tags})
        tape.call(
            "sqs", "SendMessage", {"QueueUrl": queue_url("q"), "MessageBody": text}, {"__type": text[:300]}, status=400
        )
    return tape.write(folder)


def controls(text: str) -> set[str]:
    return {char for char in text if not char.isprintable() and char != "\n"}


def test_a_hostile_recording_does_nothing_but_show(inspect: Inspect, tmp_path: Path) -> None:
    folder = hostile(tmp_path / "hostile")
    for words in (
        [],
        ["--attributes"],
        ["--calls"],
        ["--resource", "q1"],
        ["--call", "1"],
        ["--call", "3"],
        ["--call", "2"],
    ):
        code, out, err = inspect(folder, *words)
        assert (code, err) == (0, "")
        assert controls(out) == set()
        assert max(map(len, out.splitlines())) < 20_000
    text = inspect(folder, "--json")[1]
    assert controls(text) == set()
    named = {each["name"] for each in checked(text)["resources"]}
    assert named == {f"q{number}{each[:200]}" for number, each in enumerate(HOSTILE)}
