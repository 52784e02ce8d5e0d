"""Copies of recordings that leave the machine: without secrets, or encrypted."""

from __future__ import annotations

import io
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replay_proxy.errors import RecordingError
from replay_proxy.journal.interchange.encryption import CHUNK, DecryptingReader, EncryptingWriter
from replay_proxy.journal.interchange.redaction.body_values import with_leaves
from replay_proxy.wire.sensitive.secrets import with_values_hidden
from tests.support.clients import client
from tests.support.processes import Emulator, Proxy, amount, replay_proxy

CANARY = "canary-4711-Do-Not-Tell"


def run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    import os

    env = {**os.environ, **environment}
    return subprocess.run([*replay_proxy(), *words], capture_output=True, text=True, timeout=120, check=False, env=env)


def canary(name: str) -> str:
    return f"{CANARY}-{name}"


def record_secrets(url: str) -> None:
    """Calls of every protocol that carry secrets, and one that carries none."""
    secrets = client("secretsmanager", url)
    secrets.create_secret(Name="text", SecretString=canary("text"))
    secrets.create_secret(Name="bytes", SecretBinary=canary("bytes").encode())
    secrets.put_secret_value(SecretId="text", SecretString=canary("text"))
    secrets.create_secret(Name="long", SecretString=canary("long") + "x" * 60_000)
    client("ssm", url).put_parameter(Name="/p", Value=canary("parameter"), Type="SecureString")
    iam = client("iam", url)
    iam.create_user(UserName="u")
    iam.create_login_profile(UserName="u", Password=canary("login & <co>"))
    iam.create_access_key(UserName="u")
    client("rds", url).create_db_instance(
        DBInstanceIdentifier="d",
        DBInstanceClass="db.t3.micro",
        Engine="postgres",
        MasterUsername="master",
        MasterUserPassword=canary("rds"),
    )
    client("ec2", url).create_key_pair(KeyName="k")
    role = iam.create_role(RoleName="r", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    import zipfile

    with zipfile.ZipFile(buffer := io.BytesIO(), "w") as archive:
        archive.writestr("f.py", "def handler(event, context):\n    return event\n")
    client("lambda", url).create_function(
        FunctionName="f",
        Role=role,
        Runtime="python3.12",
        Handler="f.handler",
        Code={"ZipFile": buffer.getvalue()},
        Environment={"Variables": {"DATABASE": canary("environment")}},
    )
    client("cognito-idp", url).create_user_pool(PoolName="pool")
    s3 = client("s3", url)
    s3.create_bucket(Bucket="bucket")
    s3.put_object(Bucket="bucket", Key="k", Body=b"payload" * 100_000)


def everything_in(directory: Path) -> bytes:
    return b"".join(each.read_bytes() for each in sorted(directory.rglob("*")) if each.is_file())


@pytest.mark.emulator
def test_a_redacted_recording_has_no_secrets_and_restores(
    start_proxy: Callable[..., Proxy], start_emulator: Callable[..., Emulator], tmp_path: Path
) -> None:
    proxy = start_proxy("--body-threshold", "32k")
    record_secrets(proxy.url)
    secret_key = client("iam", proxy.url).create_access_key(UserName="u")["AccessKey"]["SecretAccessKey"]
    proxy.stop()
    assert secret_key.encode() in everything_in(proxy.data_dir)
    target = tmp_path / "redacted"
    done = run("export", "--data-dir", str(proxy.data_dir), "--output", str(target), "--redact", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["left_out"] == {}
    assert report["calls"] == len(proxy.records()) + len(proxy.records("witness"))
    assert report["redacted"] == {
        "ec2:CreateKeyPair:KeyMaterial": 1,
        "iam:CreateAccessKey:AccessKey.SecretAccessKey": 2,
        "iam:CreateLoginProfile:Password": 1,
        "lambda:CreateFunction:Environment.Variables.*": 2,
        "rds:CreateDBInstance:MasterUserPassword": 1,
        "secretsmanager:CreateSecret:SecretBinary": 1,
        "secretsmanager:CreateSecret:SecretString": 2,
        "secretsmanager:PutSecretValue:SecretString": 1,
        "ssm:PutParameter:Value": 1,
    }
    exported = everything_in(target)
    for hidden in (CANARY, secret_key, "PRIVATE KEY", *spellings(CANARY)):
        assert hidden.encode() not in exported, hidden
    # The same secret has one placeholder; deterministic, too.
    texts = [line for line in (target / "recorded_api_calls.json").read_text().splitlines() if '"text' in line]
    assert texts[0].count("Redacted-0000001") == 1
    assert sum("Redacted-0000001" in line for line in exported.decode("latin-1").splitlines()) == 2
    again = tmp_path / "again"
    assert run("export", "--data-dir", str(proxy.data_dir), "--output", str(again), "--redact").returncode == 0
    lines = [(each / "recorded_api_calls.json").read_text().splitlines()[1:] for each in (target, again)]
    assert lines[0] == lines[1]
    assert run("check", "--data-dir", str(target)).returncode == 0
    emulator = start_emulator("moto")
    restored = run("restore", "--upstream", emulator.url, "--data-dir", str(target))
    assert restored.returncode == 0, restored.stderr
    value = client("secretsmanager", emulator.url).get_secret_value(SecretId="text")["SecretString"]
    assert value == "Redacted-0000001"
    body = client("s3", emulator.url).get_object(Bucket="bucket", Key="k")["Body"].read()
    assert body == b"payload" * 100_000


def spellings(text: str) -> list[str]:
    """Base64 of a text, at each of the three offsets it can have, less the ends that depend on what is around."""
    import base64

    return [base64.b64encode(b"x" * pad + text.encode()).decode()[4:-4] for pad in range(3)]


@pytest.mark.emulator
def test_a_secret_that_also_stands_elsewhere_is_replaced_there_in_whatever_spelling(
    start_proxy: Callable[..., Proxy], tmp_path: Path
) -> None:
    proxy = start_proxy()
    word = canary("parameter") + ' "&<é>'
    sqs = client("sqs", proxy.url)
    queue = sqs.create_queue(QueueName="q")["QueueUrl"]
    sqs.send_message(QueueUrl=queue, MessageBody=f"the password is '{word}'")
    sqs.send_message(QueueUrl=queue, MessageBody=json.dumps({"seen": word}))
    s3 = client("s3", proxy.url)
    s3.create_bucket(Bucket="notes")
    s3.put_object(Bucket="notes", Key="k", Body=f"# note: {word}\n".encode() * 40_000)
    client("ec2", proxy.url).run_instances(
        ImageId="ami-12345678", MinCount=1, MaxCount=1, UserData=f"#!/bin/sh\nexport DB_PASSWORD='{canary('script')}'\n"
    )
    client("ssm", proxy.url).put_parameter(Name="/p", Value=word, Type="SecureString")
    proxy.stop()
    target = tmp_path / "x"
    done = run("export", "--data-dir", str(proxy.data_dir), "--output", str(target), "--redact")
    assert done.returncode == 0, done.stderr
    assert "redacted 1: ssm:PutParameter:Value" in done.stdout
    assert "redacted in other members 2: sqs:SendMessage" in done.stdout
    assert "redacted in other members 1: s3:PutObject" in done.stdout
    assert "left out" not in done.stdout
    exported = everything_in(target)
    for hidden in (CANARY, *spellings(CANARY)):
        assert hidden.encode() not in exported, hidden
    assert run("check", "--data-dir", str(target)).returncode == 0


@pytest.mark.emulator
def test_an_encrypted_export_comes_back_as_it_was(start_proxy: Callable[..., Proxy], tmp_path: Path) -> None:
    proxy = start_proxy()
    record_secrets(proxy.url)
    proxy.stop()
    sealed, target = tmp_path / "recording.sealed", tmp_path / "imported"
    words = ("export", "--data-dir", str(proxy.data_dir), "--output", str(sealed), "--encrypt")
    done = run(*words, REPLAY_PASSPHRASE="correct horse")
    assert done.returncode == 0, done.stderr
    assert sealed.stat().st_mode & 0o777 == 0o600
    assert CANARY.encode() not in sealed.read_bytes()
    assert list(tmp_path.glob(".recording*")) == []
    wrong = run("import", str(sealed), "--data-dir", str(target), REPLAY_PASSPHRASE="wrong")
    assert wrong.returncode == 4
    assert "passphrase is wrong" in wrong.stderr
    assert not (target / "recorded_api_calls.json").exists()
    done = run("import", str(sealed), "--data-dir", str(target), REPLAY_PASSPHRASE="correct horse")
    assert done.returncode == 0, done.stderr
    journals = [each / "recorded_api_calls.json" for each in (proxy.data_dir, target)]
    assert journals[0].read_text().splitlines()[1:] == journals[1].read_text().splitlines()[1:]
    assert run("check", "--data-dir", str(target)).returncode == 0
    refused = run("import", str(sealed), "--data-dir", str(target), REPLAY_PASSPHRASE="correct horse")
    assert refused.returncode == 4
    assert run(*words, REPLAY_PASSPHRASE="correct horse").returncode == 2  # nothing is overwritten


def test_without_a_passphrase_nothing_is_encrypted(tmp_path: Path) -> None:
    (tmp_path / "recorded_api_calls.json").write_text("")
    done = run(
        "export", "--data-dir", str(tmp_path), "--output", str(tmp_path / "x"), "--encrypt", REPLAY_PASSPHRASE=""
    )
    assert done.returncode == 2
    assert "REPLAY_PASSPHRASE" in done.stderr
    assert not (tmp_path / "x").exists()


def sealed_of(content: bytes) -> bytes:
    sink = io.BytesIO()
    writer = EncryptingWriter(sink, "p")
    writer.write(content)
    writer.finish()
    return sink.getvalue()


def opened(sealed: bytes) -> bytes:
    return io.BufferedReader(DecryptingReader(io.BytesIO(sealed), "p", "file")).read()


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 3 * CHUNK + 5])
def test_what_is_sealed_is_opened(size: int) -> None:
    content = bytes(range(256)) * (size // 256) + bytes(size % 256)
    assert opened(sealed_of(content)) == content


def test_no_part_of_a_sealed_file_can_be_changed_cut_or_exchanged() -> None:
    sealed = sealed_of(bytes(2 * CHUNK + 10))
    chunk, first = CHUNK + 16, len(sealed) - 2 * (CHUNK + 16) - 26
    damaged = [sealed[:-1], sealed[: first + chunk], sealed[: first + 2 * chunk], sealed + b"x", sealed[:first]]
    swapped = sealed[:first] + sealed[first + chunk : first + 2 * chunk] + sealed[first : first + chunk]
    damaged += [swapped + sealed[first + 2 * chunk :], sealed[:first] + sealed[first + chunk :]]
    for place in (0, 8, 11, 30, first, first + chunk + 5, len(sealed) - 1):
        damaged.append(sealed[:place] + bytes([sealed[place] ^ 1]) + sealed[place + 1 :])
    for each in damaged:
        with pytest.raises(RecordingError):
            opened(each)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@settings(max_examples=amount(66, 200), deadline=None)
@given(JSON.filter(lambda value: isinstance(value, dict | list)))
def test_leaves_of_json_are_replaced_and_nothing_else(value: Any) -> None:
    body = json.dumps(value).encode()
    assert with_leaves(body, "application/json", lambda _names, _text: None) is body

    def shouted(inner: Any) -> Any:
        if isinstance(inner, str):
            return inner + "!"
        if isinstance(inner, dict):
            return {key: shouted(each) for key, each in inner.items()}
        return [shouted(each) for each in inner] if isinstance(inner, list) else inner

    changed = with_leaves(body, "application/json", lambda _names, text: text + "!")
    assert json.loads(changed) == shouted(value)


def test_leaves_of_xml_and_forms() -> None:
    def swap(names: tuple[str, ...], text: str) -> str | None:
        return "<new & shiny>" if names[-1] == "password" and text == "a&b" else None

    xml = b'<A xmlns="u"><Password x="1">a&amp;b</Password><Other>a&amp;b</Other><Password/></A>'
    expected = b'<A xmlns="u"><Password x="1">&lt;new &amp; shiny&gt;</Password><Other>a&amp;b</Other><Password/></A>'
    assert with_leaves(xml, "text/xml", swap) == expected
    form = b"Action=X&A.member.1.Password=a%26b&Password=c&Other=a%26b"
    expected = b"Action=X&A.member.1.Password=%3Cnew+%26+shiny%3E&Password=c&Other=a%26b"
    assert with_leaves(form, "application/x-www-form-urlencoded", swap) == expected


def test_messages_for_people_hide_values() -> None:
    text = "value 'se\"cret\\n' at 'password' failed; b'se\"cret\\\\n'"
    assert "cret" not in with_values_hidden(text, ['se"cret\\n'])
    assert with_values_hidden("a key", ["a"]) == "a key"
