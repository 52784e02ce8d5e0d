"""Makes botocore say which operation each request is: a header, added after signing.

The AWS CLI loads this as a plugin (`awscli_initialize`); `boto3_client.py` registers the hook itself.
"""

from __future__ import annotations

from typing import Any


def awscli_initialize(event_hooks: Any) -> None:
    """The entry point of an AWS CLI plugin: hook into every client of the session."""
    event_hooks.register("session-initialized", lambda session, **_: register(session.get_component("event_emitter")))


def register(events: Any) -> None:
    events.register("before-send.*.*", say_operation)


def say_operation(request: Any, event_name: str, **_: Any) -> None:
    _, service_id, operation = event_name.split(".", 2)
    request.headers["X-Capture-Expect"] = f"{service_id.replace('-', ' ').title().replace(' ', '')}Client:{operation}"
