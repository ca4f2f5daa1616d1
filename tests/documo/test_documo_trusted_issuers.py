"""Tokens signed by a trusted issuer: which are accepted, and why others are refused."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from documo import members
from documo.access import api_keys
from documo.access.issuer_keys import read_keys
from documo.access.trusted_issuers import trust_issuer
from lockstep.errors import LockstepError
from tests.support.documo_client import USER, Client, Documo

ISSUER = "https://sts.example/contoso"
AUDIENCE = "https://documo.example/contoso"


@dataclass
class Issuer:
    """Signs tokens."""

    key: Any = field(default_factory=lambda: rsa.generate_private_key(65537, 2048))
    algorithm: str = "RS256"
    kid: str = "one"

    def jwks(self) -> dict[str, Any]:
        of_kind = jwt.algorithms.get_default_algorithms()[self.algorithm]
        public = json.loads(of_kind.to_jwk(self.key.public_key()))
        return {"keys": [{**public, "kid": self.kid, "alg": self.algorithm, "use": "sig"}]}

    def token(self, headers: dict[str, Any] | None = None, **claims: Any) -> str:
        body = {"iss": ISSUER, "aud": AUDIENCE, "exp": int(time.time()) + 300, "sub": "provisioning"} | claims
        body = {name: value for name, value in body.items() if value is not None}
        return jwt.encode(body, self.key, self.algorithm, headers={"kid": self.kid} | (headers or {}))


@pytest.fixture(scope="module")
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
async def trusting(api: Client, issuer: Issuer) -> Client:
    await trust_issuer(api.store, api.account.id, issuer=ISSUER, audience=AUDIENCE, jwks=issuer.jwks())
    return api


def with_token(client: Client, token: str) -> Client:
    return Client(client.session, client.url, token, client.account, client.store)


async def refusal(client: Client, token: str) -> str:
    reply = await with_token(client, token).get("/Users")
    assert reply.status == 401
    assert reply.headers["WWW-Authenticate"].startswith("Bearer")
    assert token not in str(reply.body)
    return str(reply.body["detail"])


async def test_a_signed_token_provisions_like_a_key(trusting: Client, issuer: Issuer) -> None:
    client = with_token(trusting, issuer.token())

    made = await client.send("POST", "/Users", {"schemas": [USER], "userName": "anna@contoso.test"})

    assert made.status == 201
    assert (await client.get(f"/Users/{made.body['id']}")).status == 200
    listed = {key.kind: key for key in await api_keys.list_keys(trusting.store, trusting.account.id)}
    assert set(listed["issuer"].scopes) == {"scim:read", "scim:users", "scim:groups"}


async def test_elliptic_keys_and_several_audiences_are_accepted(api: Client) -> None:
    issuer = Issuer(ec.generate_private_key(ec.SECP256R1()), "ES256")
    await trust_issuer(api.store, api.account.id, issuer=ISSUER, audience=AUDIENCE, jwks=issuer.jwks())

    assert (await with_token(api, issuer.token(aud=["other", AUDIENCE])).get("/Users")).status == 200


@pytest.mark.parametrize(
    ("claims", "says"),
    [
        ({"exp": int(time.time()) - 120}, "expired"),
        ({"exp": None}, "lacks one of the claims exp"),
        ({"nbf": int(time.time()) + 600}, "not valid yet"),
        ({"iss": "https://sts.example/somebody"}, "No account trusts"),
        ({"aud": "https://documo.example/other"}, "No account trusts"),
        ({"aud": None}, "lacks one of"),
        ({"iss": "\0"}, "lacks one of"),
        ({"aud": ["\ud800"]}, "lacks one of"),
    ],
)
async def test_what_a_token_says_must_be_right(
    trusting: Client, issuer: Issuer, claims: dict[str, Any], says: str
) -> None:
    assert says in await refusal(trusting, issuer.token(**claims))


async def test_a_token_of_a_strange_key_is_refused_even_with_the_right_name(trusting: Client) -> None:
    assert "not signed by a key" in await refusal(trusting, Issuer().token())


async def test_no_signature_and_a_public_key_as_shared_secret_are_refused(trusting: Client, issuer: Issuer) -> None:
    claims = {"iss": ISSUER, "aud": AUDIENCE, "exp": int(time.time()) + 300}
    head = base64.urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=").decode()
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    public = issuer.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    shared = base64.urlsafe_b64encode(b'{"alg":"HS256","kid":"one"}').rstrip(b"=").decode()
    digest = hmac.digest(public, f"{shared}.{body}".encode(), "sha256")
    signature = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

    assert "not accepted" in await refusal(trusting, f"{head}.{body}.")
    assert "not accepted" in await refusal(trusting, f"{shared}.{body}.{signature}")


@pytest.mark.parametrize(
    "token", ["eyJ.a.b", "eyJhbGciOiJSUzI1NiJ9.e30.x", "eyJ" + "a" * 9000 + ".b.c", "eyJbW1tb.x.y"]
)
async def test_what_only_looks_like_a_token_is_refused_with_a_reason(trusting: Client, token: str) -> None:
    assert "token" in (await refusal(trusting, token)).lower()


@pytest.mark.parametrize("scope", ["scim:read admin openid", "read admin openid"])  # a former name, too
async def test_a_scope_in_the_token_narrows_what_the_account_grants_and_never_widens_it(
    trusting: Client, issuer: Issuer, scope: str
) -> None:
    reader = with_token(trusting, issuer.token(scope=scope))

    assert (await reader.get("/Users")).status == 200
    assert (await reader.send("POST", "/Users", {"schemas": [USER], "userName": "bo@contoso.test"})).status == 403


async def test_a_trust_ends_when_it_is_revoked_and_with_its_member(trusting: Client, issuer: Issuer) -> None:
    client = with_token(trusting, issuer.token(exp=10**30))
    assert (await client.get("/Users")).status == 200
    [key] = [one for one in await api_keys.list_keys(trusting.store, trusting.account.id) if one.kind == "issuer"]

    await api_keys.revoke_key(trusting.store, trusting.account.id, key.id)

    assert "No account trusts" in await refusal(trusting, issuer.token(jti="another"))


async def test_no_two_accounts_trust_one_issuer_for_one_audience(
    trusting: Client, issuer: Issuer, documo: Documo
) -> None:
    other = await documo.client("Fabrikam")

    with pytest.raises(LockstepError, match="Another account already trusts"):
        await trust_issuer(other.store, other.account.id, issuer=ISSUER, audience=AUDIENCE, jwks=issuer.jwks())
    await trust_issuer(other.store, other.account.id, issuer=ISSUER, audience="other", jwks=issuer.jwks())
    await with_token(other, issuer.token(aud="other")).send(
        "POST", "/Users", {"schemas": [USER], "userName": "x@other.test"}
    )

    mine = await with_token(trusting, issuer.token()).get("/Users")
    assert "x@other.test" not in str(mine.body)
    assert "No account trusts" in await refusal(trusting, issuer.token(aud=["other", AUDIENCE]))


async def test_trusting_again_replaces_the_keys(trusting: Client, issuer: Issuer) -> None:
    successor = Issuer(kid="two")
    token = issuer.token()
    assert (await with_token(trusting, token).get("/Users")).status == 200

    await trust_issuer(trusting.store, trusting.account.id, issuer=ISSUER, audience=AUDIENCE, jwks=successor.jwks())

    assert (await with_token(trusting, successor.token()).get("/Users")).status == 200
    async with asyncio.timeout(5):
        while (await with_token(trusting, token).get("/Users")).status != 401:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("jwks", [{}, {"keys": []}, [], {"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}, {"keys": ["x"]}])
async def test_a_key_set_without_public_keys_is_refused(api: Client, jwks: Any) -> None:
    with pytest.raises(LockstepError, match="no public key"):
        await trust_issuer(api.store, api.account.id, issuer=ISSUER, audience=AUDIENCE, jwks=jwks)


async def test_tokens_of_somebody_who_is_no_admin_do_not_provision(api: Client, issuer: Issuer) -> None:
    await members.add_member(api.store, api.account.id, "viewer@contoso.test", role="Viewer")
    await trust_issuer(
        api.store, api.account.id, issuer=ISSUER, audience=AUDIENCE, jwks=issuer.jwks(), member="viewer@contoso.test"
    )

    assert (await with_token(api, issuer.token()).get("/Users")).status == 403


def pem_of(key: Any) -> bytes:
    return bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


def certificate_of(key: Any) -> bytes:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "signer")])
    begun = datetime.now(UTC) - timedelta(days=1)
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, begun, begun + timedelta(days=9))
    return made.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


@pytest.mark.parametrize(
    ("algorithm", "make", "form"),
    [
        ("RS256", lambda: rsa.generate_private_key(65537, 2048), pem_of),
        ("RS256", lambda: rsa.generate_private_key(65537, 2048), certificate_of),
        ("ES384", lambda: ec.generate_private_key(ec.SECP384R1()), pem_of),
        ("EdDSA", ed25519.Ed25519PrivateKey.generate, pem_of),
    ],
)
async def test_keys_given_as_pem_check_signatures(api: Client, algorithm: str, make: Any, form: Any) -> None:
    signer, stranger = Issuer(make(), algorithm), Issuer(make(), algorithm)
    other = ec.generate_private_key(ec.SECP256R1())
    jwks = read_keys(b"a comment\n" + pem_of(other) + form(signer.key))

    await trust_issuer(api.store, api.account.id, issuer=ISSUER, audience=AUDIENCE, jwks=jwks)

    assert (await with_token(api, signer.token()).get("/Users")).status == 200
    assert "not signed by a key" in await refusal(api, stranger.token())


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"neither", "no readable public keys"),
        (b"[]", "no readable public keys"),
        (b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "no readable public keys"),
        (pem_of(dsa.generate_private_key(1024)), "cannot sign tokens"),
        (pem_of(ec.generate_private_key(ec.SECP256K1())), "cannot sign tokens"),
    ],
)
def test_a_file_without_usable_keys_is_refused_with_the_reason(data: bytes, says: str) -> None:
    with pytest.raises(LockstepError, match=says):
        read_keys(data)


def test_a_private_key_is_refused_and_not_repeated() -> None:
    private = ed25519.Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    with pytest.raises(LockstepError, match="contains a private key") as refused:
        read_keys(private)

    assert private.splitlines()[1].decode() not in str(refused.value)


async def test_rsa_keys_that_can_be_broken_are_refused_and_never_checked_with(api: Client) -> None:
    weak, strong = Issuer(rsa.generate_private_key(65537, 1024), kid="weak"), Issuer()
    mixed = {"keys": [*weak.jwks()["keys"], *strong.jwks()["keys"]]}

    with pytest.raises(LockstepError, match="fewer than 2048 bits"):
        await trust_issuer(api.store, api.account.id, issuer=ISSUER, audience=AUDIENCE, jwks=weak.jwks())
    made = await trust_issuer(api.store, api.account.id, issuer=ISSUER, audience=AUDIENCE, jwks=mixed)

    assert made.keys == 1
    assert (await replace(api, token=weak.token()).get("/Users")).status == 401
    assert (await replace(api, token=strong.token()).get("/Users")).status == 200


async def test_a_trust_is_for_one_application_of_the_issuer(api: Client, issuer: Issuer) -> None:
    trust: dict[str, Any] = {"issuer": ISSUER, "audience": AUDIENCE, "jwks": issuer.jwks()}
    await trust_issuer(api.store, api.account.id, **trust, subject="app-1")

    async def status(**claims: Any) -> int:
        return (await replace(api, token=issuer.token(**claims)).get("/Users")).status

    for claims, wanted in (
        ({"sub": "app-1"}, 200),
        ({"sub": "sp", "appid": "app-1"}, 200),
        ({"sub": "sp", "azp": "app-1"}, 200),
        ({"sub": "app-2"}, 401),
        ({"sub": "APP-1"}, 401),
        ({"sub": None}, 401),
        ({"sub": "x", "appid": ["app-1"]}, 401),
    ):
        assert await status(**claims) == wanted, claims
    await trust_issuer(api.store, api.account.id, **trust)
    async with asyncio.timeout(5):
        while await status(sub="app-2") != 200:
            await asyncio.sleep(0.01)
