"""From method, path and query string to the operation of a REST service, by the routes in the service models.

The routes of one service, or of several that share a signing name, make one tree over path segments. A
segment of a route is a literal (`functions`), a label (`{FunctionName}`), or a greedy label (`{Key+}`), which
takes one segment or more and may be followed by others. In the tree a literal is tried before a label, and a
label before a greedy one, which is the order of Smithy's specificity rules
(https://smithy.io/2.0/spec/http-bindings.html#specificity-routing).

Several routes may share method and path. Then the query string decides (`?mode=import`,
`?operation=tag-resource`), then the required members that are bound to query string and headers (`UploadPart`
needs `uploadId`), and last that one of them is deprecated. A request that lacks a required member still names
its operation (the service will answer with an error): what is required only decides between routes.

A slash at the end of a path decides nothing in one service: models have it, clients drop it, services take
both. It does tell some services apart that share a signing name (`POST /agents/{id}/` is Bedrock's
PrepareAgent, `POST /agents/{id}` its runtime's InvokeInlineAgent), so routes that end like the request are
tried first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote

from replay_proxy.exchange import Headers
from replay_proxy.wire.models.operations import Route, routes

RoutesByMethod = dict[str, tuple[Route, ...]]


class Node:
    """A node of the tree: what may follow the path segments that lead to it.

    literals, label: the nodes below, by segment, or for any segment. greedy: for each greedy label here, the segments that
    follow it, and the routes. by_method: the routes that end here.
    """

    __slots__ = ("by_method", "greedy", "label", "literals")

    def __init__(self) -> None:
        self.literals: dict[str, Node] = {}
        self.label: Node | None = None
        self.greedy: list[tuple[tuple[str, ...], RoutesByMethod]] = []
        self.by_method: RoutesByMethod = {}


class RoutedRequest(NamedTuple):
    """A request whose route is looked for: the segments of its raw path, and what decides between routes.

    method, other_method: the keys under which routes are looked for, first and second (see `_key`).
    """

    method: str
    other_method: str
    segments: list[str]
    query: Mapping[str, str]
    headers: Headers


def find_route(
    services: tuple[str, ...], method: str, path: str, query: Mapping[str, str], headers: Headers
) -> Route | None:
    """Return the route of one of these services that a request takes, or None.

    path: raw, percent-encoded, without its query string.
    """
    exact, other = _key(method, path), _key(method, path if path.endswith("/") else path + "/")
    if exact == other:
        other = method
    return _walk(route_tree(services), RoutedRequest(exact, other, split_path(path), query, headers), 0)


def split_path(path: str) -> list[str]:
    """Return the segments of a raw path. Neither the slash before the first nor one after the last makes a segment."""
    segments = path.split("/")
    del segments[0]
    if segments and not segments[-1]:
        del segments[-1]
    return segments


@lru_cache(maxsize=1024)
def route_tree(services: tuple[str, ...]) -> Node:
    """Return the tree over all routes of these services."""
    root = Node()
    ranks = {service: rank for rank, service in enumerate(services)}
    for service in services:
        for route in routes(service):
            _insert(root, route)
    _sort(root, ranks)
    return root


def choose(
    candidates: Iterable[Route], query: Mapping[str, str], headers: Headers, *, lenient: bool = True
) -> Route | None:
    """Return the route among these (most specific first) that the query string and the headers ask for.

    A route whose query constants are there is meant, even where a required member is missing; where there are
    no constants to go by, `lenient` says whether it is meant all the same.
    """
    fallback: Route | None = None
    for route in candidates:
        if route.constants and not _constants_hold(route, query):
            continue
        if fallback is not None and len(route.constants) < len(fallback.constants):
            return fallback
        if _required_present(route, query, headers):
            return route
        if fallback is None and (lenient or route.constants):
            fallback = route
    return fallback


def specificity(route: Route) -> tuple[int, int, bool, str]:
    """Return the order in which routes with the same method and path are tried."""
    return -len(route.constants), -len(route.queries) - len(route.headers), route.deprecated, route.operation


def _constants_hold(route: Route, query: Mapping[str, str]) -> bool:
    return all(name in query and (value is None or query[name] == value) for name, value in route.constants)


def _required_present(route: Route, query: Mapping[str, str], headers: Headers) -> bool:
    return all(name in query for name in route.queries) and all(name in headers for name in route.headers)


def _walk(node: Node, request: RoutedRequest, at: int) -> Route | None:
    segments = request.segments
    if at == len(segments):
        return _choose_from(node.by_method, request)
    segment = segments[at]
    below = node.literals.get(segment)
    if below is None and "%" in segment:
        below = node.literals.get(unquote(segment))
    if below is not None:
        found = _walk(below, request, at + 1)
        if found is not None:
            return found
    if node.label is not None:
        found = _walk(node.label, request, at + 1)
        if found is not None:
            return found
    for tail, by_method in node.greedy:
        if len(segments) - at > len(tail) and _tail_matches(tail, segments):
            found = _choose_from(by_method, request)
            if found is not None:
                return found
    return None


def _choose_from(by_method: RoutesByMethod, request: RoutedRequest) -> Route | None:
    for key in (request.method, request.other_method):
        candidates = by_method.get(key)
        if candidates:
            found = choose(candidates, request.query, request.headers)
            if found is not None:
                return found
    return None


def _key(method: str, path: str) -> str:
    """Return the key of a route in a node: the method, and a slash where the path ends with one."""
    return method + "/" if path.endswith("/") else method


def _tail_matches(tail: tuple[str, ...], segments: list[str]) -> bool:
    if not tail:
        return True
    return all(
        part.startswith("{") or part == segment for part, segment in zip(tail, segments[-len(tail) :], strict=True)
    )


def _insert(root: Node, route: Route) -> None:
    node = root
    segments = split_path(route.path)
    for position, segment in enumerate(segments):
        if segment.endswith("+}"):
            _add(_greedy_routes(node, tuple(segments[position + 1 :])), route)
            return
        if segment.startswith("{"):
            if node.label is None:
                node.label = Node()
            node = node.label
        else:
            node = node.literals.setdefault(segment, Node())
    _add(node.by_method, route)


def _greedy_routes(node: Node, tail: tuple[str, ...]) -> RoutesByMethod:
    for known, by_method in node.greedy:
        if known == tail:
            return by_method
    by_method = {}
    node.greedy.append((tail, by_method))
    node.greedy.sort(key=lambda alternative: -len(alternative[0]))
    return by_method


def _add(by_method: RoutesByMethod, route: Route) -> None:
    key = _key(route.method, route.path)
    by_method[key] = (*by_method.get(key, ()), route)


def _sort(node: Node, ranks: Mapping[str, int]) -> None:
    for by_method in (node.by_method, *(by_method for _, by_method in node.greedy)):
        for key, found in by_method.items():
            by_method[key] = tuple(
                sorted(found, key=lambda route: (*specificity(route)[:3], ranks[route.service], route.operation))
            )
    for below in node.literals.values():
        _sort(below, ranks)
    if node.label is not None:
        _sort(node.label, ranks)
