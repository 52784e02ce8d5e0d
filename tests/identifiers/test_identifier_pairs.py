from __future__ import annotations

import random
import string
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay_proxy.identifiers.learning.identifier_pairs import Caller, Pair, pairs, without_authority
from replay_proxy.identifiers.table.alias_table import AliasKind
from replay_proxy.identifiers.table.distinctive import is_distinctive

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
        # The member says that they are identifiers; what they are made of says nothing.
        ("T3140", "3MIG0", [("T3140", "3MIG0")]),
        ("4401935", "ab09f1c", [("4401935", "ab09f1c")]),
        ("4401", "8812", [("4401", "8812")]),
        ("abcd", "0123456789", [("abcd", "0123456789")]),
        ("default", "dopt-00000001", [("default", "dopt-00000001")]),
        ("set of five", "set of seven", [("set of five", "set of seven")]),
        (
            "arn:aws:appconfig:us-east-1:1:application/4401935/environment/abcdefg",
            "arn:aws:appconfig:us-east-1:1:application/7aa0d1b/environment/9000001",
            [("4401935", "7aa0d1b"), ("abcdefg", "9000001")],
        ),
        # The authority of other URLs is no host.
        ("s3://0a1b2c3d--tables/m0.json", "s3://9f8e7d6c--tables/m0.json", [("0a1b2c3d--tables", "9f8e7d6c--tables")]),
        # Hosts are taken label by label; one that is too short goes with its neighbour.
        (
            "https://AB12CD34.gr77.us-east-1.eks.amazonaws.com",
            "https://FE98DC76.yl41.us-east-1.eks.amazonaws.com",
            [("AB12CD34", "FE98DC76"), ("gr77", "yl41")],
        ),
        (
            "https://AB12CD34.gr7.us-east-1.eks.amazonaws.com",
            "https://FE98DC76.yl4.us-east-1.eks.amazonaws.com",
            [("AB12CD34.gr7", "FE98DC76.yl4")],
        ),
        (
            "d-abcdefghij.execute-api.us-east-1.amazonaws.com",
            "d-zyxwvutsrq.execute-api.us-east-1.amazonaws.com",
            [("d-abcdefghij", "d-zyxwvutsrq")],
        ),
    ],
)
def test_pairs_of_members_that_name_something(client: str, emulator: str, expected: list[tuple[str, str]]) -> None:
    found = pairs(client, emulator, trusted=True)
    assert found is not None and [(pair.client, pair.emulator) for pair in found] == expected


@pytest.mark.parametrize(
    ("client", "emulator"),
    [
        # What is too short to be looked for, versions, counters.
        ("1", "2"),
        ("12", "13"),
        ("v1", "v2"),
        ("1.2.3", "1.2.4"),
        ("$LATEST", "1"),
        ("arn:aws:ecs:us-east-1:1:task-definition/f:3", "arn:aws:ecs:us-east-1:1:task-definition/f:4"),
        ("arn:aws:batch:us-east-1:123456789012:job/f:1001", "arn:aws:batch:us-east-1:123456789012:job/f:1004"),
        ("vpc-0f435d27é", "vpc-a6ca371dé"),
        ("a" * 3000 + "1", "a" * 3000 + "2"),
        # What is of two kinds.
        ("arn:aws:s3:::bucket", "arn:aws:sqs:us-east-1:1:q"),
        (
            "arn:aws:elasticloadbalancing:r:123456789012:listener/abcd1",
            "arn:aws:elasticloadbalancing:r:123456789012:rule/abcd2",
        ),
        ("arn:aws:sns:us-east-1:123456789012:news", "news-of-today"),
        ("https://host.example.com/abcd1234", "abcd1234ef"),
        ("10.0.0.4", "02:00:00:c4:22:c3"),
        ("10.0.0.4", "i-0a1b2c3d4e5f"),
        ("127.0.0.1", "172.17.0.2"),
        ("2026-11-21T03:10:36Z", "i-0a1b2c3d4e5f"),
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
    assert pairs("123456789012", "000000000000", trusted=True, is_account=True) == [
        Pair("123456789012", "000000000000", AliasKind.ACCOUNT)
    ]
    found = pairs(f"arn:aws:sqs:eu-west-1:1{'0' * 11}:{U1}", f"arn:aws:sqs:us-east-1:{'0' * 12}:{U2}", trusted=True)
    assert found == [
        Pair("eu-west-1", "us-east-1", AliasKind.REGION),
        Pair("100000000000", "000000000000", AliasKind.ACCOUNT),
        Pair(U1, U2),
    ]
    assert pairs("10.0.0.4", "10.0.0.9", trusted=True) == [Pair("10.0.0.4", "10.0.0.9", AliasKind.ADDRESS)]
    url = "http://localhost:4566/{}/queue"
    assert pairs(url.format("123456789012"), url.format("000000000000"), trusted=True) == [
        Pair("123456789012", "000000000000", AliasKind.ACCOUNT)
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
    assert missed == 0


@given(st.text(string.ascii_lowercase + "-", min_size=1, max_size=19))
def test_words_could_stand_anywhere(text: str) -> None:
    assert not is_distinctive(text)


def test_an_account_is_a_pair_with_an_account_alone() -> None:
    mine, other = Caller("", "us-east-1"), Caller("", "us-east-1", owns=False)
    assert pairs("123456789012", "000000000000", trusted=True, caller=mine, is_account=True) == [
        Pair("123456789012", "000000000000", AliasKind.ACCOUNT)
    ]
    for value in ("amazon", "self", "12345678901", "801119661308x"):
        assert not pairs("123456789012", value, trusted=True, caller=mine, is_account=True)
        assert not pairs(value, "123456789012", trusted=True, caller=mine, is_account=True)
    # The owner of an image that a read shows may be anybody.
    assert not pairs("801119661308", "000000000000", trusted=True, caller=other, is_account=True)
    # The account and the region of the call are no identifiers, whatever stands in their place.
    called = Caller("123456789012", "us-east-1")
    for place in ("123456789012", "us-east-1"):
        assert not pairs(place, "0a1b2c3d4e5f", trusted=True, caller=called)
        assert not pairs("0a1b2c3d4e5f", place, trusted=True, caller=called)


def test_an_arn_of_another_place_than_its_call_teaches_no_place() -> None:
    arn = "arn:aws:sns:{}:{}:topic-{}"
    ours, theirs = (
        arn.format("us-east-1", "123456789012", "aa11bb22"),
        arn.format("eu-west-1", "000000000000", "cc33dd44"),
    )
    names = [Pair("topic-aa11bb22", "topic-cc33dd44")]
    assert pairs(ours, theirs, trusted=True, caller=Caller("", "eu-central-1")) == names
    assert pairs(ours, theirs, trusted=True, caller=Caller("111122223333", "us-east-1")) == names
    account = Pair("123456789012", "000000000000", AliasKind.ACCOUNT)
    here = pairs(ours, theirs, trusted=True, caller=Caller("123456789012", "us-east-1"))
    assert here == [account, *names], "in the region that it was asked in, the emulator shows that region"
    unsigned = pairs(ours, theirs, trusted=True, caller=Caller("123456789012"))
    assert unsigned == [Pair("us-east-1", "eu-west-1", AliasKind.REGION), account, *names]


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


@pytest.mark.parametrize("name", ["größe", "名前", "naïve-1", "🦊"])
@pytest.mark.parametrize(
    "form", ["table/{}/backup/{}", "archive/{}:{}", "scalingPolicy:{1}:resource/ecs/{0}:policyName/{0}"]
)
def test_names_of_any_letters_stand_beside_identifiers(name: str, form: str) -> None:
    one, two = (
        f"arn:aws:dynamodb:us-east-1:300000000001:{form.format(name, each)}" for each in ("0179-abced1", "0180-90ea6")
    )
    found = pairs(one, two, trusted=True)
    assert [(pair.client, pair.emulator) for pair in found or ()] == [("0179-abced1", "0180-90ea6")]


def test_names_of_other_letters_are_no_pairs() -> None:
    assert not pairs("größe", "größer", trusted=True)
    assert not pairs("名前 1", "名前 2", trusted=True)


def test_a_host_behind_which_the_port_of_the_proxy_stands_is_taken_label_by_label() -> None:
    host = "{}-ats.iot.us-east-1.localhost:{}"
    texts = host.format("dad29bfbb2c9", 4566), host.format("da8757cd0173", 23450)
    caller = Caller(region="us-east-1", host="127.0.0.1:4566")
    assert pairs(*texts, trusted=True, caller=caller) == [Pair("dad29bfbb2c9-ats", "da8757cd0173-ats")]
    # What stands behind a colon is a revision elsewhere.
    assert not pairs("family.task:3", "family.task:4", trusted=True, caller=caller)
