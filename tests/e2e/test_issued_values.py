"""What a call gave out before a restart, and a client presents after it: ciphertexts, signatures, MACs, tokens."""

from __future__ import annotations

import base64
import json
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers

from tests.support.clients import client
from tests.support.processes import Proxy, amount, left_out, missing, replay_proxy

pytestmark = pytest.mark.emulator

EMULATORS = ("moto", "ministack")


def skip_unless_it_runs(emulator: str, minutes: float = 0.0) -> None:
    """Skip, by name, what cannot run here; and what repeats on MiniStack what moto shows, unless long tests are asked for."""
    reason = missing(emulator) or (left_out(minutes) if minutes and emulator != "moto" else None)
    if reason:
        pytest.skip(reason)


CONTEXT = {"tenant": "a"}


def again(start_proxy: Callable[..., Proxy], proxy: Proxy, emulator: str) -> Proxy:
    proxy.kill_all()
    run("compact", "--data-dir", str(proxy.data_dir))
    return start_proxy("--emulator", emulator, port=proxy.port)


def run(*words: str) -> None:
    done = subprocess.run([*replay_proxy(), *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def key_of(kms: Any, blob: bytes, context: dict[str, str]) -> str:
    return str(kms.decrypt(CiphertextBlob=blob, EncryptionContext=context)["KeyId"])


def verifies(kms: Any, words: dict[str, Any], signature: bytes) -> bool:
    try:
        return bool(kms.verify(**words, Signature=signature)["SignatureValid"])
    except kms.exceptions.KMSInvalidSignatureException:
        return False


@pytest.mark.parametrize("emulator", EMULATORS)
def test_ciphertexts_signatures_and_macs(start_proxy: Callable[..., Proxy], tmp_path: Path, emulator: str) -> None:
    skip_unless_it_runs(emulator, 0.2)
    proxy = start_proxy("--emulator", emulator)
    kms = client("kms", proxy.url)
    key, other = (kms.create_key()["KeyMetadata"]["KeyId"] for _ in range(2))
    kms.create_alias(AliasName="alias/data", TargetKeyId=key)
    unused = kms.encrypt(KeyId=other, Plaintext=b"unused")["CiphertextBlob"]
    texts: dict[bytes, tuple[bytes, dict[str, str]]] = {}
    for number in range(3):
        made = kms.encrypt(KeyId="alias/data", Plaintext=b"text %d" % number, EncryptionContext=CONTEXT)
        texts[made["CiphertextBlob"]] = b"text %d" % number, CONTEXT
    data_key = kms.generate_data_key(KeyId=key, KeySpec="AES_256", EncryptionContext=CONTEXT)
    texts[data_key["CiphertextBlob"]] = data_key["Plaintext"], CONTEXT
    blind = kms.generate_data_key_without_plaintext(KeyId=key, KeySpec="AES_128")["CiphertextBlob"]
    texts[blind] = kms.decrypt(CiphertextBlob=blind)["Plaintext"], {}
    if emulator == "moto":
        old = {"CiphertextBlob": next(iter(texts)), "SourceEncryptionContext": CONTEXT}
        moved = kms.re_encrypt(**old, DestinationKeyId=other)["CiphertextBlob"]
        texts[moved] = b"text 0", {}
    else:
        pair = kms.generate_data_key_pair(KeyId=key, KeyPairSpec="RSA_2048")
        texts[pair["PrivateKeyCiphertextBlob"]] = pair["PrivateKeyPlaintext"], {}
    kms.update_alias(AliasName="alias/data", TargetKeyId=other)  # what was encrypted stays under the other key
    under = {key_of(kms, blob, context) for blob, (_, context) in texts.items() if context}
    signer = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
    words: dict[str, Any] = {"KeyId": signer, "Message": b"message", "SigningAlgorithm": "ECDSA_SHA_256"}
    signature = kms.sign(**words)["Signature"]
    maker = kms.create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")["KeyMetadata"]["KeyId"]
    mac_words: dict[str, Any] = {"KeyId": maker, "Message": b"message", "MacAlgorithm": "HMAC_SHA_256"}
    mac = kms.generate_mac(**mac_words)["Mac"]

    for _ in range(amount(1, 2) if emulator == "ministack" else 2):
        proxy = again(start_proxy, proxy, emulator)
        assert proxy.status()["last_restore"]["restored"] == 6
        for blob, (plaintext, context) in texts.items():
            assert kms.decrypt(CiphertextBlob=blob, EncryptionContext=context)["Plaintext"] == plaintext
        assert {key_of(kms, blob, context) for blob, (_, context) in texts.items() if context} == under
        with pytest.raises(ClientError):  # the context is part of what was encrypted
            kms.decrypt(CiphertextBlob=data_key["CiphertextBlob"], EncryptionContext={"tenant": "b"})
        with pytest.raises(ClientError):
            kms.decrypt(CiphertextBlob=b"nobody gave this out" * 5)
        assert verifies(kms, words, signature)
        assert not verifies(kms, {**words, "Message": b"another"}, signature)
        assert kms.verify_mac(**mac_words, Mac=mac)["MacValid"]
        # A new one from an old one, and what is made now.
        if emulator == "moto":
            copied = kms.re_encrypt(CiphertextBlob=moved, DestinationKeyId=key)["CiphertextBlob"]
            texts[copied] = b"text 0", {}
            assert kms.decrypt(CiphertextBlob=copied)["Plaintext"] == b"text 0"
    if emulator == "ministack":  # which looks at the state of a key
        kms.disable_key(KeyId=other)
        with pytest.raises(kms.exceptions.DisabledException):
            kms.decrypt(CiphertextBlob=unused)
        kms.enable_key(KeyId=other)
    assert kms.decrypt(CiphertextBlob=unused)["Plaintext"] == b"unused"
    proxy.kill_all()
    run("export", "--redact", "--output", str(tmp_path / "copy"), "--data-dir", str(proxy.data_dir))
    shared = (tmp_path / "copy" / "recorded_api_calls.json").read_text()
    secrets = [base64.b64encode(text).decode() for text, _ in texts.values()]
    assert not [secret for secret in secrets if secret in shared]


def verified_claims(token: str, pool: str, proxy: Proxy) -> dict[str, Any]:
    """What a token says, after its signature was verified with the keys that its pool shows."""
    head, body, signature = token.split(".")
    with urllib.request.urlopen(f"{proxy.url}/{pool}/.well-known/jwks.json") as answer:
        keys = {key["kid"]: key for key in json.load(answer)["keys"]}
    key = keys[json.loads(unpadded(head))["kid"]]
    n, e = (int.from_bytes(unpadded(key[name]), "big") for name in ("n", "e"))
    RSAPublicNumbers(e, n).public_key().verify(
        unpadded(signature), f"{head}.{body}".encode(), PKCS1v15(), hashes.SHA256()
    )
    return dict(json.loads(unpadded(body)))


def unpadded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@pytest.mark.parametrize("emulator", EMULATORS)
def test_tokens_of_a_user_pool(start_proxy: Callable[..., Proxy], emulator: str) -> None:
    skip_unless_it_runs(emulator)
    proxy = start_proxy("--emulator", emulator)
    cognito = client("cognito-idp", proxy.url)
    pool = cognito.create_user_pool(PoolName="shop")["UserPool"]["Id"]
    flows = ["ALLOW_USER_PASSWORD_AUTH", "ALLOW_ADMIN_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]
    app = cognito.create_user_pool_client(UserPoolId=pool, ClientName="web", ExplicitAuthFlows=flows)["UserPoolClient"]
    for user in ("jo", "al", "out"):
        cognito.admin_create_user(UserPoolId=pool, Username=user, MessageAction="SUPPRESS")
        cognito.admin_set_user_password(UserPoolId=pool, Username=user, Password="First-1234!", Permanent=True)

    def sign_in(user: str, password: str) -> dict[str, str]:
        words = {"USERNAME": user, "PASSWORD": password}
        made = cognito.initiate_auth(ClientId=app["ClientId"], AuthFlow="USER_PASSWORD_AUTH", AuthParameters=words)
        return dict(made["AuthenticationResult"])

    def refreshed(token: str) -> dict[str, str]:
        words = {"REFRESH_TOKEN": token}
        made = cognito.initiate_auth(ClientId=app["ClientId"], AuthFlow="REFRESH_TOKEN_AUTH", AuthParameters=words)
        return dict(made["AuthenticationResult"])

    held = {user: [sign_in(user, "First-1234!")] for user in ("jo", "al", "out")}
    subject = verified_claims(held["jo"][0]["IdToken"], pool, proxy)["sub"]
    held["jo"].append({**held["jo"][0], **refreshed(held["jo"][0]["RefreshToken"])})
    unused = sign_in("jo", "First-1234!")["AccessToken"]
    # Recorded calls that present a token: a restore lost them.
    cognito.update_user_attributes(
        AccessToken=held["al"][0]["AccessToken"], UserAttributes=[{"Name": "nickname", "Value": "Ally"}]
    )
    cognito.change_password(
        AccessToken=held["al"][0]["AccessToken"], PreviousPassword="First-1234!", ProposedPassword="Second-1234!"
    )
    if emulator == "moto":  # it draws the code that would come by mail, and tells it in a header
        told = cognito.forgot_password(ClientId=app["ClientId"], Username="jo")["ResponseMetadata"]["HTTPHeaders"]
        cognito.confirm_forgot_password(
            ClientId=app["ClientId"],
            Username="jo",
            ConfirmationCode=told["x-moto-forgot-password-confirmation-code"],
            Password="First-1234!",
        )
    # Those whose token was revoked afterwards, too.
    cognito.change_password(
        AccessToken=held["out"][0]["AccessToken"], PreviousPassword="First-1234!", ProposedPassword="Second-1234!"
    )
    cognito.update_user_attributes(
        AccessToken=held["out"][0]["AccessToken"], UserAttributes=[{"Name": "nickname", "Value": "Outi"}]
    )
    cognito.global_sign_out(AccessToken=held["out"][0]["AccessToken"])
    later = sign_in("out", "Second-1234!")["AccessToken"]

    for _ in range(2):
        proxy = again(start_proxy, proxy, emulator)
        report = proxy.status()["last_restore"]
        assert report["failed"] == 0, report
        assert report["diverged"] == 0, report
        for user in ("jo", "al"):
            for tokens in held[user]:
                assert cognito.get_user(AccessToken=tokens["AccessToken"])["Username"] == user
                assert "AccessToken" in refreshed(tokens["RefreshToken"])
                for name, member in (("IdToken", "aud"), ("AccessToken", "client_id")):
                    claims = verified_claims(tokens[name], pool, proxy)
                    assert claims["iss"].endswith("/" + pool)
                    assert claims[member] == app["ClientId"]
                    assert claims["sub"] == subject or user == "al"
        attributes = cognito.get_user(AccessToken=held["al"][0]["AccessToken"])["UserAttributes"]
        assert {"Name": "nickname", "Value": "Ally"} in attributes
        with pytest.raises(ClientError):
            cognito.get_user(AccessToken=held["out"][0]["AccessToken"])
        assert {"Name": "nickname", "Value": "Outi"} in cognito.get_user(AccessToken=later)["UserAttributes"]
        for user in ("al", "out"):
            with pytest.raises(ClientError):
                sign_in(user, "First-1234!")
        # Those of now are of the same pool, client and user, and stay good.
        held["jo"].append(sign_in("jo", "First-1234!"))
        held["al"].append(sign_in("al", "Second-1234!"))
    cognito.admin_user_global_sign_out(UserPoolId=pool, Username="jo")
    with pytest.raises(ClientError):
        cognito.get_user(AccessToken=unused)
    with urllib.request.urlopen(f"{proxy.url}/{pool}/.well-known/openid-configuration") as answer:
        assert json.load(answer)["issuer"].endswith("/" + pool)


def test_the_token_endpoint_takes_the_secret_that_a_client_was_shown(start_proxy: Callable[..., Proxy]) -> None:
    skip_unless_it_runs("ministack")
    proxy = start_proxy("--emulator", "ministack")
    cognito = client("cognito-idp", proxy.url)
    pool = cognito.create_user_pool(PoolName="machines")["UserPool"]["Id"]
    scope = {"ScopeName": "read", "ScopeDescription": "reads"}
    cognito.create_resource_server(UserPoolId=pool, Identifier="api", Name="api", Scopes=[scope])
    made = cognito.create_user_pool_client(
        UserPoolId=pool,
        ClientName="job",
        GenerateSecret=True,
        AllowedOAuthFlows=["client_credentials"],
        AllowedOAuthFlowsUserPoolClient=True,
        AllowedOAuthScopes=["api/read"],
    )["UserPoolClient"]
    app, secret = made["ClientId"], made["ClientSecret"]

    def token(given: str, *, basic: bool) -> Any:
        form = {"grant_type": "client_credentials", "scope": "api/read"}
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        if basic:
            headers["Authorization"] = "Basic " + base64.b64encode(f"{app}:{given}".encode()).decode()
        else:
            form |= {"client_id": app, "client_secret": given}
        data = urllib.parse.urlencode(form).encode()
        request = urllib.request.Request(f"{proxy.url}/oauth2/token", data, headers)
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)["access_token"]

    token(secret, basic=True)
    proxy = again(start_proxy, proxy, "ministack")
    for basic in (True, False):
        claims = verified_claims(token(secret, basic=basic), pool, proxy)
        assert (claims["client_id"], claims["iss"].rpartition("/")[2]) == (app, pool)
    with pytest.raises(urllib.error.HTTPError):
        token("another", basic=True)
