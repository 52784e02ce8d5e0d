"""The plugin of pytest: every test that asks for it finds an emulator in the same state.

Options, each also a setting in pyproject.toml (`[tool.pytest.ini_options]`, `replay_recording = "…"`):

- `--replay-recording DIR|POD`: the recording, or the pod, whose state the tests find. Without it they find an empty emulator.
- `--replay-emulator NAME`: the emulator that is started (moto, ministack, localstack).
- `--replay-report DIR`: for each test that fails, an HTML page with the calls that it made.

Fixtures: `replay_proxy` for the session, `aws_state` for each test. `@pytest.mark.aws_state("DIR|POD")` gives a test the state
of another recording or pod (`shop`, `shop:3`, `shop.pod`), and stands for the fixture. Nothing is started before the first test
that asks for it. Under pytest-xdist each worker has a proxy and an emulator of its own.
"""

from __future__ import annotations

import os
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from replay_proxy.errors import ReplayProxyError
    from replay_proxy.testing.proxy_process import ReplayProxy

_BEGAN = pytest.StashKey[tuple[Any, float]]()
_CALLS_SHOWN_MAX = 200


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options and the settings of the same names."""
    group = parser.getgroup("replay-proxy", "an AWS emulator in the same state for every test")
    for name, metavar, text in (
        ("recording", "DIR|POD", "the recording or pod whose state the tests find; without it an empty emulator"),
        ("emulator", "NAME", "the emulator that is started: moto (default), ministack, localstack"),
        ("report", "DIR", "write a page with its calls for each test that fails"),
    ):
        group.addoption(f"--replay-{name}", metavar=metavar, default=None, help=text)
        parser.addini(f"replay_{name}", text, default="")


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line(
        "markers",
        'aws_state("DIR|POD"): the test finds the state of this recording or pod; without it that of --replay-recording',
    )


def _option(config: pytest.Config, name: str) -> str:
    given = config.getoption(f"--replay-{name}") or config.getini(f"replay_{name}")
    return str(given or "")


class _Proxies:
    """The proxies of a session, by their recording; each is started when a test first asks for it."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._running: dict[Path | str | None, ReplayProxy] = {}
        self._refused: dict[Path | str | None, str] = {}

    def of(self, recording: str) -> ReplayProxy:
        """Return the proxy that serves a recording (empty: that of the session)."""
        named = recording or _option(self._config, "recording")
        path = self._source(named) if named else None
        if path not in self._running and path not in self._refused:
            self._start(path)
        if path in self._refused:
            reason = self._refused[path]
            # What all tests would meet ends the session; but under xdist a worker that ends is started again.
            if not recording and not hasattr(self._config, "workerinput"):
                pytest.exit(reason, returncode=pytest.ExitCode.USAGE_ERROR)
            pytest.fail(reason, pytrace=False)
        return self._running[path]

    def _start(self, path: Path | str | None) -> None:
        from replay_proxy.errors import ReplayProxyError
        from replay_proxy.testing.proxy_process import ReplayProxy

        emulator = _option(self._config, "emulator") or os.environ.get("REPLAY_EMULATOR") or "moto"
        try:
            self._running[path] = ReplayProxy(emulator, path)
        except ReplayProxyError as error:
            self._refused[path] = _message(error)

    def _source(self, named: str) -> Path | str:
        """Return the directory of a recording, or what names a pod: its file, or a name."""
        path = (self._config.rootpath / named).resolve()
        if path.is_file():
            return str(path)
        return path if path.is_dir() or os.sep in named else named

    def stop(self) -> None:
        """End all of them."""
        for proxy in self._running.values():
            proxy.stop()


def _message(error: ReplayProxyError) -> str:
    """Return what a user is told of an error: what happened, and what to do."""
    return f"{error.message}\nhint: {error.hint}" if error.hint else error.message


@contextmanager
def _told() -> Iterator[None]:
    """Fail a test by the message of an error alone: where in this plugin it was raised helps nobody."""
    from replay_proxy.errors import ReplayProxyError

    try:
        yield
    except ReplayProxyError as error:
        raise pytest.fail.Exception(_message(error), pytrace=False) from None


@contextmanager
def _environment_of(proxy: ReplayProxy) -> Iterator[None]:
    """Point the clients of this process, and of those that it starts, at a proxy."""
    before = dict(os.environ)
    changed = proxy.environment.applied_to(before)
    os.environ.clear()
    os.environ.update(changed)
    try:
        yield
    finally:
        for name in changed.keys() | before.keys():
            if os.environ.get(name) == changed.get(name):  # what a test changed itself is its own matter
                if name in before:
                    os.environ[name] = before[name]
                else:
                    os.environ.pop(name, None)


@pytest.fixture(scope="session")
def _replay_proxies(pytestconfig: pytest.Config) -> Iterator[_Proxies]:
    proxies = _Proxies(pytestconfig)
    yield proxies
    proxies.stop()


@pytest.fixture(scope="session")
def replay_proxy(_replay_proxies: _Proxies) -> Iterator[ReplayProxy]:
    """A proxy and an emulator with the state of `--replay-recording`; AWS_ENDPOINT_URL points at it.

    `.endpoint_url`, `.client("sqs")` for a boto3 client, `.environment` for processes that tests start.
    """
    proxy = _replay_proxies.of("")
    with _environment_of(proxy):
        yield proxy


@pytest.fixture
def aws_state(request: pytest.FixtureRequest, _replay_proxies: _Proxies) -> Iterator[ReplayProxy]:
    """The state as it was at the beginning of the session, or that of the marker's recording. Returns the proxy.

    Where no test before has changed anything, nothing is done. Else the emulator is emptied and the recording restored.
    """
    marker = request.node.get_closest_marker("aws_state")
    proxy = _replay_proxies.of(str(marker.args[0]) if marker is not None and marker.args else "")
    with _told():
        proxy.bring_back()
    request.node.stash[_BEGAN] = (proxy, time.time())
    with _environment_of(proxy):
        yield proxy
    with _told():
        proxy.brought_back()


@pytest.fixture(autouse=True)
def _aws_state_of_the_marker(request: pytest.FixtureRequest) -> None:
    if request.node.get_closest_marker("aws_state") is not None:
        request.getfixturevalue("aws_state")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show of a test that failed the calls by which it changed the emulator."""
    report = yield
    began = item.stash.get(_BEGAN, None)
    if report.when in ("setup", "call") and report.failed and began is not None:
        report.sections.append(("recorded AWS calls of this test", _shown(item, *began)))
    return report


def _shown(item: pytest.Item, proxy: ReplayProxy, moment: float) -> str:
    """Return the calls of a test as text, and write its page where one is asked for."""
    try:
        from replay_proxy.testing.calls import page_name, shown_calls, write_page

        calls = shown_calls(proxy.data_dir, moment)
        more = len(calls) - _CALLS_SHOWN_MAX
        lines = calls[:_CALLS_SHOWN_MAX] + ([f"(and {more} more)"] if more > 0 else [])
        if named := _option(item.config, "report"):
            page = item.config.invocation_params.dir / named / page_name(item.nodeid)
            write_page(proxy.data_dir, moment, item.nodeid, page)
            lines.append(f"page: {page}")
        return "\n".join(lines) or "(none)"
    except Exception as error:  # a report of a failure must not fail
        return f"(they cannot be shown: {error})"
