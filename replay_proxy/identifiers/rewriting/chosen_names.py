"""Which names the client of a request chooses, with identifiers in them.

The table keeps such a name from the call on that gives it (`table.chosen_names`): a recorded one in a restore, else a live
one. Without an identifier in it a name needs no keeping.
"""

from __future__ import annotations

from replay_proxy.errors import MalformedMessage
from replay_proxy.exchange import CallHead, Request
from replay_proxy.footprint.given_names import given_names, may_give_names
from replay_proxy.identifiers.table import scan
from replay_proxy.identifiers.table.alias_table import AliasTable
from replay_proxy.identifiers.table.scope import scope_of
from replay_proxy.wire.codecs.parameters import parse_parameters


def keep(request: Request, head: CallHead, table: AliasTable) -> bool:
    """Note in `table` the names that a request gives to what it makes, as far as they have known identifiers in them.

    Returns whether there was one to note: what was found in the request before that does not know of it.
    """
    if not may_give_names(head.service, head.operation):
        return False
    try:
        params = parse_parameters(head, request)
    except MalformedMessage:
        return False
    noted = False
    for name in given_names(head.service, head.operation, params):
        if scan.known_in(name.encode("latin-1", "replace"), table, to_client=False):
            noted |= table.keep_name(name, scope_of(head))
    return noted
