from __future__ import annotations

import random
import string
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay_proxy.identifiers.aliases import Kind
from replay_proxy.identifiers.forms import Pair, looks_generated, pairs, without_authority

U1, U2 = "25f26792-cbc2-4d8e-9aef-d093a09de859", "fac90383-7209-4663-98ac-8be54d17e809"
LB = "arn:aws:elasticloadbalancing:us-east-1:1:listener-rule/app/lb/{}/{}/{}"


@pytest.mark.parametrize(
    ("client", "emulator", "expected"),
    [
        ("vpc-0f435d27", "vpc-a6ca371d", [("vpc-0f435d27", "vpc-a6ca371d")]),
        ("miqd7dlv2b", "tpz8xlyfwa", [("miqd7dlv2b", "tpz8xlyfwa")]),
        # Short random strings without a digit, and with nothing else.
        ("jsuathph", "opjfkrmt", [("jsuathph", "opjfkrmt")]),
        ("ae9ad077", "38239154", [("ae9ad077", "38239154")]),
        ("62e54107", "38239f54", [("62e54107", "38239f54")]),
        (
            "us-east-1_hTxVkzwqr",
            "us-east-1_f2bea4af03fb",
            [("us-east-1_hTxVkzwqr", "us-east-1_f2bea4af03fb")],
        ),
        ("ip-10-0-254-242", "ip-10-0-132-53", [("ip-10-0-254-242", "ip-10-0-132-53")]),
        # Identifiers in ARNs, URLs and paths.
        (f"arn:aws:sns:us-east-1:1:t:{U1}", f"arn:aws:sns:us-east-1:1:t:{U2}", [(U1, U2)]),
        (
            "arn:aws:secretsmanager:us-east-1:1:secret:my/db-bKDTOo",
            "arn:aws:secretsmanager:us-east-1:1:secret:my/db-dyqKRF",
            [("db-bKDTOo", "db-dyqKRF")],
        ),
        (
            LB.format("dfc46aaf6fc577e7", "65a6f19ccbcb0888", "140424723652368"),
            LB.format("deb943fdc59b4ee6", "bb9708641e45b46d", "140339511256144"),
            [
                ("dfc46aaf6fc577e7", "deb943fdc59b4ee6"),
                ("65a6f19ccbcb0888", "bb9708641e45b46d"),
                ("140424723652368", "140339511256144"),
            ],
        ),
        (
            "https://a/2013-04-01/zone/Z1D633PJN98FT9",
            "https://a/2013-04-01/zone/Z3M3LMP1X",
            [("Z1D633PJN98FT9", "Z3M3LMP1X")],
        ),
        ("/hostedzone/Z1D633PJN98FT9", "/hostedzone/ZYYBDXDOYWPXOF", [("Z1D633PJN98FT9", "ZYYBDXDOYWPXOF")]),
        ("lb-ib5ay5fx.elb.amazonaws.com", "lb-a8753wvx.elb.amazonaws.com", [("lb-ib5ay5fx", "lb-a8753wvx")]),
        (
            "https://a7f01a3c.execute-api.localhost:4566",
            "https://3b09d881.execute-api.localhost:5000",
            [("a7f01a3c", "3b09d881")],
        ),
        # Where a URL points to is no matter of identifiers, and neither is its signature.
        ("http://localhost:4566/1/q", "http://127.0.0.1:5000/1/q", []),
        (
            "http://a/k?X-Amz-Date=1&X-Amz-Signature=ab12cd34&v=1",
            "http://b/k?X-Amz-Date=2&X-Amz-Signature=ef56ab78&v=1",
            [],
        ),
        # What does not split alike is one identifier.
        ("ab12/cd34+ef56gh==", "zz99yy88/xx77ww66=", [("ab12/cd34+ef56gh==", "zz99yy88/xx77ww66=")]),
        (
            "arn:aws:dynamodb:us-east-1:000000000000:table/T/stream/2026-11-21T03:10:36.089",
            "arn:aws:dynamodb:us-east-1:000000000000:table/T/stream/2026-11-21T03:10:42.852",
            [("table/T/stream/2026-11-21T03:10:36.089", "table/T/stream/2026-11-21T03:10:42.852")],
        ),
        # Base64 with dots in it is no host, and no list of names.
        (
            "AaH8bnxYIDDrTh.tr.0GMKF2nqZQU2.D",
            "AaH8bnxYIDDrTh.c0nMGDNnQX1Bj8uNaaPT6rWur",
            [("AaH8bnxYIDDrTh.tr.0GMKF2nqZQU2.D", "AaH8bnxYIDDrTh.c0nMGDNnQX1Bj8uNaaPT6rWur")],
        ),
        (
            "AaH8cjlkyGqsNLdnFP8rHDZbTn.Ayiz0",
            "AaH8cjllDDrr9hn_E.D9ESYsZXuQ72G4",
            [("AaH8cjlkyGqsNLdnFP8rHDZbTn.Ayiz0", "AaH8cjllDDrr9hn_E.D9ESYsZXuQ72G4")],
        ),
        (
            "AaH8cq.57k5bJdVLT0Ec.iPOgfFlRgqb",
            "AaH8cq.686KsEkt0l1ReSw97UUDc.sF1",
            [("AaH8cq.57k5bJdVLT0Ec.iPOgfFlRgqb", "AaH8cq.686KsEkt0l1ReSw97UUDc.sF1")],
        ),
        (
            "AaH8c.AL6L.AEHphVjCjQ_L9HvH_fqW4",
            "AaH8c.AMS_1SAPYjATdK5k3jZJA3c7mh",
            [("AaH8c.AL6L.AEHphVjCjQ_L9HvH_fqW4", "AaH8c.AMS_1SAPYjATdK5k3jZJA3c7mh")],
        ),
        ("same", "same", []),
    ],
)
def test_pairs_of_members_that_name_something(client: str, emulator: str, expected: list[tuple[str, str]]) -> None:
    found = pairs(client, emulator, trusted=True)
    assert found is not None and [(pair.client, pair.emulator) for pair in found] == expected


@pytest.mark.parametrize(
    ("client", "emulator"),
    [
        # Words, states, versions, counters.
        ("default", "dopt-00000001"),
        ("pending", "available"),
        ("internal", "external"),
        ("default.postgres15", "default.postgres9.3"),
        ("1", "2"),
        ("12", "13"),
        ("v1", "v2"),
        ("1.2.3", "1.2.4"),
        ("$LATEST", "1"),
        ("arn:aws:ecs:us-east-1:1:task-definition/f:3", "arn:aws:ecs:us-east-1:1:task-definition/f:4"),
        # Dates outside of ARNs are learned only where a rule says that they name something.
        ("text with vpc-0f435d27", "text with vpc-a6ca371d"),
        ("vpc-0f435d27é", "vpc-a6ca371dé"),
        ("a" * 3000 + "1", "a" * 3000 + "2"),
        ("arn:aws:s3:::bucket", "arn:aws:sqs:us-east-1:1:q"),
        ("10.0.0.4", "02:00:00:c4:22:c3"),
        ("127.0.0.1", "172.17.0.2"),
    ],
)
def test_no_pairs_of_what_is_no_identifier(client: str, emulator: str) -> None:
    assert not pairs(client, emulator, trusted=True)


@pytest.mark.parametrize(
    ("client", "emulator"),
    [
        ("us-east-1a", "us-east-1b"),
        ("python3", "python4"),
        ("jsuathph", "opjfkrmt"),
        ("2026-11-21T03:10:36", "2026-11-21T03:10:42"),
        ("1700000000000", "1700000001234"),
        ("123456789012", "000000000000"),
        ("rsa2048", "rsa4096"),
    ],
)
def test_members_without_a_telling_name_need_a_telling_value(client: str, emulator: str) -> None:
    assert not pairs(client, emulator, trusted=False)
    assert pairs("stack-B-cxo37s0hfhlk", "stack-B-xbbiq1azqrno", trusted=False)


def test_accounts_regions_and_addresses_are_told_by_their_place() -> None:
    assert pairs("123456789012", "000000000000", trusted=True) == [Pair("123456789012", "000000000000", Kind.ACCOUNT)]
    found = pairs(f"arn:aws:sqs:eu-west-1:1{'0' * 11}:{U1}", f"arn:aws:sqs:us-east-1:{'0' * 12}:{U2}", trusted=True)
    assert found == [
        Pair("eu-west-1", "us-east-1", Kind.REGION),
        Pair("100000000000", "000000000000", Kind.ACCOUNT),
        Pair(U1, U2),
    ]
    assert pairs("10.0.0.4", "10.0.0.9", trusted=True) == [Pair("10.0.0.4", "10.0.0.9", Kind.ADDRESS)]
    url = "http://localhost:4566/{}/queue"
    assert pairs(url.format("123456789012"), url.format("000000000000"), trusted=True) == [
        Pair("123456789012", "000000000000", Kind.ACCOUNT)
    ]


GENERATORS = {
    "uuid": lambda noise: str(uuid.UUID(int=noise.getrandbits(128))),
    "hex17": lambda noise: f"vpc-{noise.getrandbits(68):017x}",
    "hex8": lambda noise: f"{noise.getrandbits(32):08x}",
    "base36": lambda noise: "".join(noise.choices(string.ascii_lowercase + string.digits, k=10)),
    "base62": lambda noise: "".join(noise.choices(string.ascii_letters + string.digits, k=26)),
    "access key": lambda noise: "AKIA" + "".join(noise.choices(string.ascii_uppercase + "234567", k=16)),
    "role id": lambda noise: "AROARZPUZDIK" + "".join(noise.choices(string.ascii_uppercase + "234567", k=9)),
    "letters": lambda noise: "".join(noise.choices(string.ascii_lowercase, k=8)),
    "secret suffix": lambda noise: "name-" + "".join(noise.choices(string.ascii_letters, k=6)),
}


@pytest.mark.parametrize("kind", GENERATORS)
def test_what_generators_make_is_learned(kind: str) -> None:
    noise = random.Random(4)
    missed = 0
    for _ in range(5000):
        client, emulator = GENERATORS[kind](noise), GENERATORS[kind](noise)
        missed += pairs(client, emulator, trusted=True) != [Pair(client, emulator)]
    assert missed <= 5  # two throws of six letters may be alike in half of their places


@given(st.text(string.ascii_lowercase + "-", min_size=1, max_size=30))
def test_words_never_look_generated(text: str) -> None:
    assert not looks_generated(text)


def test_urls_are_compared_without_where_they_point_to() -> None:
    assert without_authority("http://a:1/x?y=1#z") == without_authority("https://b/x?y=1#z")
    assert without_authority("http://a/x") != without_authority("http://a/y")
    assert without_authority("no url") == "no url"
    assert without_authority("http://[no-address/x") == "http://[no-address/x"


@given(st.text(max_size=30), st.text(max_size=30), st.booleans())
def test_no_pair_of_values_can_break_it(client: str, emulator: str, trusted: bool) -> None:
    for prefix in (
        "",
        "arn:aws:sqs:us-east-1:000000000000:",
        "http://",
        "http://[",
        "10.0.0.",
        "2026-01-01T00:00:00",
    ):
        for pair in pairs(prefix + client, prefix + emulator, trusted=trusted) or ():
            assert pair.client != pair.emulator


def test_a_version_id_with_a_dot_and_no_digit_is_one_all_the_same() -> None:
    known, drawn = "AaIXFypoBhRqAIzBmvAkvYSRPdohM8V9", "AaIXFzOU_gOOYNi.ETVaRoDegwpJLfDl"  # LocalStack's
    assert pairs(known, drawn, trusted=True) == [Pair(known, drawn)]
    assert pairs(drawn, known, trusted=True) == [Pair(drawn, known)]
    assert pairs(known, drawn, trusted=False) is None
    assert pairs("some-long-name.of-a-Thing.that", "some-long-name.of-a-Thing.this", trusted=True) is None
