"""What a version holds of secrets, by AWS's models and by the names of what it holds: said before it is given to others."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress

from replay_proxy.exchange import Answer, BlobRef
from replay_proxy.journal.interchange.redaction.messages import is_secret_payload, model_of, name_of
from replay_proxy.journal.interchange.redaction.secret_catalogue import CannotRedactError, SecretCatalogue
from replay_proxy.pods.oci.layout import Layout
from replay_proxy.pods.oci.manifest import Manifest
from replay_proxy.pods.state.unpack import records_of


def held_secrets(layout: Layout, manifest: Manifest, where: str) -> Counter[str]:
    """Return how many secrets stand in each member, by `service:operation:member`.

    Large bodies (objects, archives of code) are not looked into. where: for messages. Raises PodError, StorageError.
    """
    catalogue = SecretCatalogue(_not_looked_into)
    found: Counter[str] = Counter()
    for record in records_of(layout, manifest, where):
        operation = model_of(record.head)
        for message in (record.request, record.answer):
            if operation is not None and message.body and is_secret_payload(operation, isinstance(message, Answer)):
                found[f"{name_of(record)}:the body"] += 1
                continue
            with suppress(CannotRedactError):
                paths = {path for path, _value, _named in catalogue.found_in(record, message, operation)}
                found.update(f"{name_of(record)}:{path}" for path in paths)
    return found


def _not_looked_into(_ref: BlobRef) -> bytes:
    return b""
