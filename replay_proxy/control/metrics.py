"""What the proxy has counted, in the text format of Prometheus.

The numbers are read at the moment of the scrape from where they are counted, so that a request costs nothing for this page.
The registry is this page's own: what the client library counts by itself (of the process, of Python) is not in it. Import this
module only where somebody asks, since the library takes a while to import.

Counters begin at 0 with the process. Labels have few values: the services that botocore's models know, and words of this
program.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric, SummaryMetricFamily

from replay_proxy.exchange import Headers
from replay_proxy.proxy.http.streams import Outgoing
from replay_proxy.proxy.lifecycle.proxy import Proxy
from replay_proxy.proxy.requests.proxy_state import ProxyState
from replay_proxy.replay.execution.reporting.report import Result
from replay_proxy.wire.models.service_index import extended_index, service_index

OTHER = "other"
"""The label of requests whose service is not known."""


def metrics_answer(proxy: Proxy) -> Outgoing:
    """Return the answer to a scrape."""
    registry = CollectorRegistry()
    for read in (_requests, _gate, _recording, _restores, _observation):
        registry.register(_Collector(proxy, read))
    headers = Headers((("Content-Type", CONTENT_TYPE_PLAIN_0_0_4), ("Cache-Control", "no-store")))
    return Outgoing(200, "OK", headers, generate_latest(registry))


@dataclass(frozen=True, eq=False)
class _Collector:
    """Reads numbers of a proxy at the moment of a scrape; the library asks it for `collect`."""

    proxy: Proxy
    read: Callable[[Proxy], Iterator[Metric]]

    def collect(self) -> Iterator[Metric]:
        """Return the metrics with their samples."""
        return self.read(self.proxy)


def _requests(proxy: Proxy) -> Iterator[Metric]:
    counters, recorder = proxy.engine.policy.counters, proxy.recorder
    requests = CounterMetricFamily(
        "replay_proxy_requests_total",
        "Requests of clients by service and by what became of them. recorded: a change that is in the journal; read, "
        "transient: not worth recording; refused: a change that the emulator refused; switched_off: a change that a setting "
        "leaves out; unrecognised: no known AWS API call, forwarded as it came.",
        labels=("service", "kind"),
    )
    by_kind = {
        "recorded": counters.recorded,
        "read": counters.reads,
        "transient": counters.transient,
        "refused": counters.refused,
        "switched_off": counters.switched_off,
        "unrecognised": {"": counters.unrecognised},
    }
    for kind, by_service in by_kind.items():
        for service, count in _bounded(by_service.items()):
            requests.add_metric((service, kind), count)
    yield requests
    unavailable = CounterMetricFamily(
        "replay_proxy_unavailable_answers_total",
        "Answers with status 503 that the proxy gave by itself, because emulator, state or journal were not there.",
        labels=("service",),
    )
    for service, count in _bounded(counters.unavailable.items()):
        unavailable.add_metric((service,), count)
    yield unavailable
    if recorder is not None:
        yield CounterMetricFamily(
            "replay_proxy_unrecorded_calls_total",
            "Changes that were let through although they could not be recorded; they are missing after a restart.",
            recorder.unrecorded.count,
        )
        yield CounterMetricFamily(
            "replay_proxy_omitted_requests_total",
            "Requests that may have changed something and are in no recording, calls that could not be recorded included.",
            recorder.omissions.total,
        )


def _gate(proxy: Proxy) -> Iterator[Metric]:
    state = GaugeMetricFamily(
        "replay_proxy_state", "What the proxy is doing: 1 for the present state, else 0.", labels=("state",)
    )
    for each in ProxyState:
        state.add_metric((each.value,), each is proxy.gate.state)
    yield state
    waits = proxy.gate.waits
    yield SummaryMetricFamily(
        "replay_proxy_gate_wait_seconds",
        "Waits of requests for the emulator, and for its state; a request can wait for both.",
        count_value=waits.begun - waits.under_way,
        sum_value=waits.seconds,
    )
    yield GaugeMetricFamily(
        "replay_proxy_gate_waiting_requests",
        "Requests that wait for the emulator or its state now.",
        waits.under_way,
    )
    yield CounterMetricFamily(
        "replay_proxy_emulator_restarts_total",
        "How often the emulator was lost and came back since, restarted by the proxy or by somebody else.",
        proxy.emulator_returns,
    )
    yield GaugeMetricFamily(
        "replay_proxy_aliases",
        "Identifiers of clients for which the emulator uses another one since its latest start.",
        len(proxy.engine.translator.aliases),
    )


def _recording(proxy: Proxy) -> Iterator[Metric]:
    recording = proxy.recording
    if recording is None:
        return
    writer = recording.writer
    try:
        size = recording.path.stat().st_size if writer is None else writer.position
    except OSError:  # there may be nothing to read yet
        size = 0
    yield GaugeMetricFamily(
        "replay_proxy_journal_bytes", "Size of the journal, without the large bodies beside it.", size
    )
    if writer is not None:
        yield GaugeMetricFamily(
            "replay_proxy_journal_failed",
            "1 while nothing can be recorded, for instance because the disk is full; else 0.",
            writer.failure is not None,
        )
    if proxy.compaction is not None:
        yield CounterMetricFamily(
            "replay_proxy_compactions_total",
            "How often the journal was rewritten to what is left of it, in the background.",
            proxy.compaction.as_json()["runs"],
        )


def _restores(proxy: Proxy) -> Iterator[Metric]:
    strategy = proxy.load_strategy
    if strategy is None:
        return
    totals = strategy.totals
    restores = CounterMetricFamily(
        "replay_proxy_restores_total",
        "Restores that have ended. complete: everything is back; incomplete: calls were not restored, or something is lost; "
        "failed: it could not be carried out.",
        labels=("outcome",),
    )
    for outcome in ("complete", "incomplete", "failed"):
        restores.add_metric((outcome,), getattr(totals, outcome))
    yield restores
    yield CounterMetricFamily(
        "replay_proxy_restore_seconds_total", "Time that the restores took that have ended.", totals.seconds
    )
    calls = CounterMetricFamily(
        "replay_proxy_restore_calls_total",
        "Recorded calls by what became of them in the restores that have ended. diverged: answered otherwise than recorded; "
        "uncertain: may have been carried out; superseded: needed no repeating.",
        labels=("result",),
    )
    for result in Result:
        calls.add_metric((result.value,), totals.calls[result])
    calls.add_metric(("superseded",), totals.superseded)
    yield calls
    report = strategy.report
    if report is None or report.is_empty:
        return
    yield GaugeMetricFamily(
        "replay_proxy_last_restore_seconds", "Time that the latest restore took, so far.", report.seconds
    )
    latest = GaugeMetricFamily(
        "replay_proxy_last_restore_calls",
        "Recorded calls by what became of them in the latest restore, so far.",
        labels=("result",),
    )
    for result in Result:
        latest.add_metric((result.value,), report.counts[result])
    latest.add_metric(("superseded",), report.superseded)
    yield latest
    yield GaugeMetricFamily(
        "replay_proxy_last_restore_lost",
        "Reads in the latest restore that say that something is missing which was there.",
        report.lost,
    )


def _observation(proxy: Proxy) -> Iterator[Metric]:
    observer = proxy.observer
    if observer is None:
        return
    totals = observer.totals()
    yield CounterMetricFamily(
        "replay_proxy_observation_looks_total",
        "How often a queue, table, bucket or the like was read to see what the emulator did by itself.",
        totals["looks"],
    )
    yield CounterMetricFamily(
        "replay_proxy_observations_total",
        "Changes that the emulator made by itself and that were recorded.",
        totals["observations"],
    )
    yield CounterMetricFamily(
        "replay_proxy_observation_read_bytes_total", "Bytes that were read for that.", totals["bytes"]
    )
    yield CounterMetricFamily(
        "replay_proxy_observation_read_seconds_total", "Time that was spent reading for that.", totals["seconds"]
    )


def _bounded(by_service: Iterable[tuple[str, int]]) -> Iterable[tuple[str, int]]:
    """Return counts by service with the services that no model knows taken together under `OTHER`, sorted."""
    bounded: dict[str, int] = {}
    for service, count in by_service:
        label = service if _is_known(service) else OTHER
        bounded[label] = bounded.get(label, 0) + count
    return sorted(bounded.items())


def _is_known(service: str) -> bool:
    return service in service_index().services or (bool(service) and service in extended_index().services)
