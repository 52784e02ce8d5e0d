"""The region in the address of a queue.

AWS puts it into the host, `sqs.{region}.` or in an older form `{region}.queue.`, and emulators do the same before a name of
their own (LocalStack: `sqs.eu-west-1.localhost.localstack.cloud:4566`). It is a part of what the URL names: two regions have
queues of one name. So it is kept, and only the name and the port behind it change.

A URL without a region (`http://localhost:4566/000000000000/jobs`) is understood by these emulators, too, and means the region
for which the request is signed. It is what clients are shown of the region that unsigned requests mean, unless they use
names with labels themselves: it can be reached without a name server.

Source of the forms: https://docs.aws.amazon.com/general/latest/gr/sqs-service.html and
https://docs.localstack.cloud/aws/services/sqs/#queue-urls
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import NamedTuple

UNSIGNED_REGION = "us-east-1"
"""The region that a request means that names none; the older form of host leaves it out."""
_NAMES = ("localhost", "localhost.localstack.cloud")
_STANDARD = re.compile(r"sqs\.(?:([a-z0-9-]+)\.)?")
_DOMAIN = re.compile(r"(?:([a-z0-9-]+)\.)?queue\.")


class Form(StrEnum):
    """Where the region stands: `sqs.{region}.`, `{region}.queue.`, or nowhere."""

    STANDARD = "standard"
    DOMAIN = "domain"
    PLAIN = ""


class QueueHost(NamedTuple):
    """A host of queue URLs, without its port. region: empty where it names none. base: what stands behind the region."""

    form: Form
    region: str
    base: str

    def of_region(self, region: str) -> str:
        """Return the host of the same form for another region."""
        match self.form:
            case Form.STANDARD:
                return f"sqs.{region}.{self.base}" if region else f"sqs.{self.base}"
            case Form.DOMAIN:
                return f"{'' if region in ('', UNSIGNED_REGION) else f'{region}.'}queue.{self.base}"
            case Form.PLAIN:
                return self.base


def queue_host(host: str) -> QueueHost:
    """Take the host of a queue URL apart."""
    if match := _STANDARD.match(host):
        rest = host[len("sqs.") :]
        if rest in _NAMES or not host[match.end() :]:
            return QueueHost(Form.STANDARD, "", rest)
        return QueueHost(Form.STANDARD, match[1] or "", host[match.end() :])
    if (match := _DOMAIN.match(host)) and host[match.end() :]:
        return QueueHost(Form.DOMAIN, match[1] or UNSIGNED_REGION, host[match.end() :])
    return QueueHost(Form.PLAIN, "", host)
