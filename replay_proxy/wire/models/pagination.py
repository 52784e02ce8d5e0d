"""How listings come in pages, told by the data that botocore's own paginators use (`paginators-1.json`).

Which parameter takes the token of the next page, where an answer gives it, and which lists grow from page to page, is
said there for each operation. So a page is known whatever its token is called (`NextToken`, `Marker`,
`ExclusiveStartTableName`, `StartRecordName` with two others), and a token is not taken for an identifier.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jmespath
from botocore.utils import set_value_from_jmespath

from replay_proxy.wire.models.models import SERVICES_CACHED_MAX, load_paginators

_KEYS = ("input_token", "output_token", "result_key")


@dataclass(frozen=True)
class Pagination:
    """How the answers of one operation are continued.

    input_tokens: parameters that take the tokens of the next page. output_tokens: where an answer has them, as JMESPath
    expressions, one for each parameter. result_keys: the members that are continued, likewise. more_results: what says
    whether there is another page; empty where the tokens do.
    """

    input_tokens: tuple[str, ...]
    output_tokens: tuple[str, ...]
    result_keys: tuple[str, ...]
    more_results: str = ""

    def is_continued(self, parameters: Mapping[str, Any]) -> bool:
        """Return whether a call with these parameters asks for another page than the first."""
        return any(parameters.get(name) for name in self.input_tokens)

    def first(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Return the parameters that ask for the first page."""
        return {name: value for name, value in parameters.items() if name not in self.input_tokens}

    def next(self, result: Mapping[str, Any]) -> dict[str, Any]:
        """Return the tokens that ask for the page after the one with this result; none where it was the last."""
        if self.more_results and not _search(self.more_results, result):
            return {}
        return {
            name: token
            for name, where in zip(self.input_tokens, self.output_tokens, strict=True)
            if (token := _search(where, result))
        }

    def lists(self, result: Mapping[str, Any]) -> dict[str, list[Any]]:
        """Return the lists of a result that are continued, each with the expression that finds it."""
        found = {key: _search(key, result) for key in self.result_keys}
        return {key: value for key, value in found.items() if isinstance(value, list)}

    @staticmethod
    def put(result: dict[str, Any], key: str, elements: list[Any]) -> None:
        """Set the list that `lists` gave for `key`."""
        set_value_from_jmespath(result, key, elements)


def pagination_of(service: str, operation: str) -> Pagination | None:
    """Return how the answers of an operation are continued; None where they are whole."""
    return _of_service(service).get(operation)


@lru_cache(maxsize=SERVICES_CACHED_MAX)
def _of_service(service: str) -> dict[str, Pagination]:
    made = {}
    for operation, entry in load_paginators(service).items():
        inputs, outputs, results = (_several(entry.get(key, ())) for key in _KEYS)
        if inputs and len(inputs) == len(outputs):
            made[operation] = Pagination(inputs, outputs, results, entry.get("more_results", ""))
    return made


def _several(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def _search(expression: str, value: Any) -> Any:
    return _compiled(expression).search(value)


@lru_cache(maxsize=512)
def _compiled(expression: str) -> Any:
    return jmespath.compile(expression)
