"""Names that nobody would choose, and that users do choose."""

from __future__ import annotations

from functools import cache

from hypothesis import strategies as st

from replay_proxy.wire.models import models
from tests.support.scenarios.world import DRAWN, STEPS

SHORT = st.text("abcdwx019-_", min_size=1, max_size=3).filter(lambda text: text[0].isalnum() and text[-1].isalnum())
DIGITS = st.integers(0, 10**13).map(str)
LIKE_REGIONS = st.sampled_from(
    ["us-east-1", "db-primary-1", "my-queue-1", "eu-west-2", "a-b-1", "cn-north-1", "us-east-1a"]
)
WORDS = st.sampled_from(
    ["queue", "default", "test", "name", "Name", "id", "arn", "aws", "root", "main", "policy", "role", "key", "value",
     "true", "null", "prod", "alias", "function", "table", "stream", "items", "latest", "v1", "Arn", "http", "sqs",
     "resource", "tag", "user", "admin", "api", "live", "web", "none", "all", "public", "local", "stack", "us", "ACTIVE"]
)  # fmt: skip
LIKE_IDS = st.sampled_from(
    ["vpc-12345678", "i-0", "sg-1", "123456789012", "000000000000", "0123456789abcdef", "deadbeef", "a1b2c3d4",
     "11111111-2222-3333-4444-555555555555", "AKIA0000", "arn", "ami-1", "r-abcd", "k1", "x" * 40]
)  # fmt: skip
LIKE_DRAWN = st.sampled_from([DRAWN, f"{DRAWN}-x", f"my-{DRAWN}", f"{DRAWN}1"])
"""As the emulator has just called something else, or with that in it."""
OWN = st.sampled_from(["300000000001", "300000000002", "us-east-1", "eu-west-2"])
"""An account or a region in which histories are played."""


@cache
def api_words() -> tuple[str, ...]:
    """Names of operations and members of the services that are played, and of their enumerations."""
    found = set()
    for service in sorted(STEPS):
        model = models.service_model(service)
        for name in model.shape_names:
            shape = model.shape_for(name)
            found |= {*getattr(shape, "members", ())} if shape.type_name == "structure" else set()
            found |= {*(getattr(shape, "enum", None) or ())} if shape.type_name == "string" else set()
        found |= {*model.operation_names}
    return tuple(sorted(word for word in found if word.isascii() and word.isalnum() and len(word) <= 30))


UNICODE = st.sampled_from(
    ["größe", "名前", "é", "ключ", "naïve-1", "ß1", "🦊", "名", "ñ-2", "e\u0301", "a\u200db", "ＡＢ", "٣", "İ"]
)
"""Letters of other scripts, marks that combine or join, wide letters, digits that are not ASCII, a letter that grows in small."""
API_WORDS = st.deferred(lambda: st.sampled_from(api_words()))
NAMES = st.one_of(SHORT, DIGITS, LIKE_REGIONS, WORDS, LIKE_IDS, UNICODE, API_WORDS, LIKE_DRAWN, OWN)


def _with_prefixes(names: list[str]) -> list[str]:
    return [*names, f"{names[0]}-{names[0]}", f"{names[0]}1"]


SETS = st.one_of(
    NAMES.map(lambda name: [name]),
    st.lists(NAMES, min_size=2, max_size=3, unique=True),
    st.lists(NAMES, min_size=1, max_size=2, unique=True).map(_with_prefixes),
)
"""What is called how in one history: everything alike, several names, names that begin with others."""
