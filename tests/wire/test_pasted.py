"""Pasted requests: what curl itself sends is the measure for curl lines."""

from __future__ import annotations

import http.server
import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay_proxy.cli.explain.curl import shell_words
from replay_proxy.cli.explain.pasted import parse_har, parse_pasted
from replay_proxy.errors import UsageError
from replay_proxy.exchange import Headers, Request
from replay_proxy.wire.recognition.recognise import recognise


def decoded(request: Request) -> tuple[str, bytes, bytes]:
    assert isinstance(request.body, bytes)
    return request.method, *(
        unquote_to_bytes(part.replace(b"+", b" ")) for part in (request.target.encode(), request.body)
    )


def no_file(name: str) -> bytes:
    raise AssertionError(f"no file is to be read, and {name} was")


def paste(text: str) -> Request:
    return parse_pasted(text, no_file)


class Echo:
    """A server that keeps what it is sent."""

    def __init__(self) -> None:
        self.seen: list[Request] = []
        echo = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def handle_any(self) -> None:
                length = int(self.headers.get("content-length") or 0)
                body = self.rfile.read(length)
                echo.seen.append(Request(self.command, self.path, Headers(self.headers.items()), body))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = handle_any  # noqa: N815 # the server's names

            def log_message(self, *_args: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture(scope="module")
def echo() -> Iterator[Echo]:
    server = Echo()
    yield server
    server.close()


LINES = [
    "curl URL/a/b?c=d",
    "curl -X DELETE URL/q",
    "curl URL -d a=1 -d 'b=2&c=3'",
    "curl URL --data-raw '@not-a-file' --compressed",
    "curl -sS -o /dev/null -m 5 -XPUT URL/x --data-binary $'line\\nbreak\\t\\x41\\u00e9\\'q\\''",
    "curl -G URL/?x=1 -d y=2 --data-urlencode 'z=a b&c/ü'",
    "curl URL --data-urlencode 'plain text' --data-urlencode '=value only'",
    "curl URL -H 'X-Amz-Target: AmazonSQS.CreateQueue' -H 'Content-Type: application/x-amz-json-1.0' -d '{\"a\":1}'",
    'curl URL -H "X-Quote: a \\"b\\" \\$c" --data "x\\\\y"',
    "curl --json '{\"a\": 1}' URL",
    "curl -I URL/head",
    "curl \\\n  --request POST \\\n  --url URL/multi \\\n  --data 'one line'",
    "curl URL -d @FILE",
    "curl URL --data-binary @FILE",
    "curl -T FILE URL/bucket/key",
    "curl -u user:pass URL",
    "curl -A agent/1 -e http://ref -b k=v URL",
    "curl -H 'Host: bucket.s3.amazonaws.com' URL/key",
    "curl -H 'X-Empty;' -H 'X-Gone:' URL",
    "curl -H 'X-Name: é' URL -d 'ü'",
    "curl -d '' URL",
    "curl -sSvXPOST URL -d x=1",
    "curl --request PATCH URL -d x=1",
]


@pytest.mark.skipif(shutil.which("curl") is None or shutil.which("bash") is None, reason="needs curl and bash")
@pytest.mark.parametrize("line", LINES)
def test_a_curl_line_is_what_curl_sends(line: str, echo: Echo, tmp_path: Path) -> None:
    file = tmp_path / "body.txt"
    file.write_bytes(b"first\r\nsecond\n\xff")
    command = line.replace("URL", echo.url).replace("FILE", str(file))
    echo.seen.clear()
    subprocess.run(["bash", "-c", command], check=True, capture_output=True, timeout=30)
    (sent,) = echo.seen
    ours = parse_pasted(command, lambda name: Path(name).read_bytes())
    if "urlencode" in line:  # versions of curl spell the same bytes differently: `+` or `%20`, `%c3` or `%C3`
        assert decoded(ours) == decoded(sent)
    else:
        assert (ours.method, ours.target, ours.body) == (sent.method, sent.target, sent.body)
    for name, value in ours.headers:
        assert value in sent.headers.get_all(name.lower()), name
    added = {"accept", "content-length", "user-agent", "accept-encoding", "expect"}
    assert {name.lower() for name, _ in sent.headers} - {name.lower() for name, _ in ours.headers} <= added


def test_a_line_for_curl_s_own_signing_is_recognised() -> None:
    request = paste(
        "curl --aws-sigv4 aws:amz:eu-west-1:sqs -u 111122223333:secret http://localhost:4566/ "
        "-d 'Action=ListQueues&Version=2012-11-05'"
    )
    head = recognise(request)
    assert head is not None
    assert (head.service, head.operation, head.region, head.account) == (
        "sqs",
        "ListQueues",
        "eu-west-1",
        "111122223333",
    )
    assert "secret" not in str(request.headers)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("curl", "no request"),
        ("curl -d x", "no URL"),
        ("curl 'http://h", "never closed"),
        ("curl --frobnicate http://h", "--frobnicate"),
        ("curl -F a=b http://h", "-F"),
        ("curl http://h -H", "no value"),
        ("curl http://h -H nonsense", "no header"),
        ("curl http://h http://i", "more than one URL"),
        ("hello", "no request"),
        ("{'a': 1}", "not"),
        ("GET / HTTP/1.1\nnonsense", "no header line"),
        ('{"a": 1}', "no HAR entry"),
        ('{"log": {"entries": []}}', "0 entries"),
        ('{"request": {"method": "GET", "url": "/relative", "headers": []}}', "absolute"),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_hint(line: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        paste(line)
    assert caught.value.hint


HAR_ENTRY = {
    "startedDateTime": "2024-01-01T00:00:00Z",
    "request": {
        "method": "post",
        "url": "https://sqs.us-east-1.amazonaws.com/?q=%20",
        "httpVersion": "h2",
        "headers": [
            {"name": ":authority", "value": "sqs.us-east-1.amazonaws.com"},
            {"name": "x-amz-target", "value": "AmazonSQS.CreateQueue"},
        ],
        "postData": {"mimeType": "application/x-amz-json-1.0", "text": '{"QueueName":"ü"}'},
    },
    "response": {},
}


@pytest.mark.parametrize("content", [HAR_ENTRY, HAR_ENTRY["request"], {"log": {"entries": [HAR_ENTRY]}}])
def test_har(content: dict[str, object]) -> None:
    request = paste(json.dumps(content))
    assert request.method == "POST"
    assert request.target == "/?q=%20"
    assert request.headers.pairs == (
        ("Host", "sqs.us-east-1.amazonaws.com"),
        ("x-amz-target", "AmazonSQS.CreateQueue"),
    )
    assert request.body == '{"QueueName":"ü"}'.encode()


def test_har_with_a_base64_body() -> None:
    entry = {
        "method": "PUT",
        "url": "http://h:1/b/k",
        "headers": [],
        "postData": {"text": "/wA=", "encoding": "base64"},
    }
    assert parse_har(entry).body == b"\xff\x00"


def test_a_har_of_many_entries_asks_for_one() -> None:
    with pytest.raises(UsageError, match="2 entries"):
        paste(json.dumps({"log": {"entries": [HAR_ENTRY, HAR_ENTRY]}}))


def test_the_text_of_a_request() -> None:
    request = paste("PUT /bucket/a%20b?x HTTP/1.1\r\nHost: localhost:4566\r\nX-A: b: c\r\n\r\nbody\r\ntext")
    assert request.target == "/bucket/a%20b?x"
    assert request.headers.pairs == (("Host", "localhost:4566"), ("X-A", "b: c"))
    assert request.body == b"body\r\ntext"


@given(st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=20), max_size=6))
def test_quoted_words_come_back(words: list[str]) -> None:
    quoted = " ".join("'" + word.replace("'", "'\\''") + "'" for word in words)
    assert [word.encode("latin-1").decode() for word in shell_words(quoted)] == words


@given(st.text(max_size=80))
def test_any_text_is_a_request_or_refused(text: str) -> None:
    for attempt in (text, f"curl {text}", f"curl http://h {text}", f"GET / HTTP/1.1\n{text}", "{" + text):
        try:
            parse_pasted(attempt, lambda name: name.encode())
        except UsageError as error:
            assert error.message
