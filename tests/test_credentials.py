"""Who is asking: keys and tokens, alone and together, good and bad, and what is looked at first."""

import base64
import hmac
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OctKey, RSAKey

from tools.testing.service import (
    ALICE,
    BOB,
    NOBODYS,
    ON_ONE_DATABASE,
    Service,
    Services,
    assert_envelope,
    new_collection,
)

SECRET = "the shared secret of these tests, 32 bytes or more"
RSA, EC, STRANGE_RSA = (
    RSAKey.generate_key(2048, {"kid": "rsa-1"}),
    ECKey.generate_key("P-256", {"kid": "ec-1"}),
    RSAKey.generate_key(2048, {"kid": "rsa-1"}),
)
Headers = list[tuple[str, str]]


def token(key: Any = None, header: dict[str, Any] | None = None, **claims: Any) -> str:
    """A JWT of alice's that is good for a minute, unless the claims say otherwise; None leaves a claim out."""
    whole = {"sub": ALICE, "exp": int(time.time()) + 60, "scope": "music:read music:write"} | claims
    kept = {name: value for name, value in whole.items() if value is not None}
    return jwt.encode({"alg": "HS256"} | (header or {}), kept, key or OctKey.import_key(SECRET))


def bearer(credential: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {credential}"}


@pytest.fixture
def key(alice: httpx.Client) -> str:
    return str(alice.headers["X-API-Key"])


@pytest.fixture
def anybody(server: Service) -> httpx.Client:
    return server.client()


@pytest.fixture
def by_secret(services: Services, server: Service) -> httpx.Client:
    """A client of a server that takes tokens signed with a shared secret."""
    return services.variant(server, JWT_SECRET=SECRET).client()


@pytest.fixture
def by_key_set(services: Services, server: Service) -> httpx.Client:
    """A client of a server that takes tokens signed with one of two private keys."""
    file = services.folder / "jwks.json"
    if not file.exists():
        file.write_text(json.dumps(KeySet([RSA, EC]).as_dict(private=False)), encoding="utf-8")
    return services.variant(server, JWT_JWKS_FILE=str(file)).client()


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_a_key_works_in_either_header(anybody: httpx.Client, key: str, scheme: str) -> None:
    assert anybody.get("collections", headers={"X-API-Key": key}).status_code == 200
    assert anybody.get("collections", headers={"Authorization": f"{scheme} {key}"}).status_code == 200


SPOILT: dict[str, Callable[[str], str]] = {
    "a character too few": lambda key: key[:-1],
    "a character too many": lambda key: key + "0",
    "a wrong checksum": lambda key: key[:-1] + ("0" if key[-1] != "0" else "1"),
    "a misspelt character": lambda key: key[:10] + ("0" if key[10] != "0" else "1") + key[11:],
    "capitals for small letters": str.swapcase,
    "another prefix": lambda key: "sk_" + key[4:],
    "hexadecimal": lambda key: key.encode().hex(),
    "in quotes": lambda key: f'"{key}"',
    "with a scheme": lambda key: f"Bearer {key}",
    "twice": lambda key: f"{key},{key}",
    "nothing": lambda key: key[:0],
    "far too long": lambda key: key * 100,
    "no ASCII": lambda key: key[:-1] + "\u00e9",
}


@pytest.mark.parametrize("fault", SPOILT)
def test_a_key_that_is_spelled_otherwise_is_no_key(anybody: httpx.Client, key: str, fault: str) -> None:
    spoilt = SPOILT[fault](key).encode("latin-1")
    for name, prefix in ((b"X-API-Key", b""), (b"Authorization", b"Bearer ")):
        if not prefix or fault not in {"with a scheme", "nothing"}:
            error = assert_envelope(
                anybody.get("collections", headers=[(name, prefix + spoilt)]), "AUTHENTICATION_REQUIRED"
            )
            assert error["system_message"] == "Missing or invalid authorization header"
            assert error["details"] == {}


@pytest.mark.parametrize("value", ["", "Bearer", "Basic YWxpY2U6YQ==", "{key}", "Bearer {key} {key}"])
def test_an_authorization_of_another_form_is_refused(anybody: httpx.Client, key: str, value: str) -> None:
    response = anybody.get("collections", headers={"Authorization": value.format(key=key)})
    assert_envelope(response, "AUTHENTICATION_REQUIRED")


def test_a_key_in_the_query_or_a_cookie_is_no_credential(anybody: httpx.Client, key: str) -> None:
    for response in (
        anybody.get("collections", params={"api_key": key, "X-API-Key": key}),
        anybody.get("collections", headers={"Cookie": f"X-API-Key={key}"}),
    ):
        assert_envelope(response, "AUTHENTICATION_REQUIRED")


def test_two_credentials_of_one_user_are_as_good_as_one(server: Service, anybody: httpx.Client, key: str) -> None:
    second = server.key(ALICE)[1]
    for other in (key, second):
        assert anybody.get("collections", headers={"X-API-Key": key} | bearer(other)).status_code == 200


def test_two_credentials_allow_what_both_allow(server: Service, anybody: httpx.Client, key: str) -> None:
    reader = server.key(ALICE, scopes=["music:read"])[1]
    for headers in ({"X-API-Key": key} | bearer(reader), {"X-API-Key": reader} | bearer(key)):
        assert anybody.get("collections", headers=headers).status_code == 200
        assert_envelope(anybody.post("collections", json={"name": "a"}, headers=headers), "INSUFFICIENT_PERMISSIONS")


def test_two_credentials_of_two_users_are_refused(anybody: httpx.Client, key: str, bob: httpx.Client) -> None:
    other = bob.headers["X-API-Key"]
    for headers in ({"X-API-Key": key} | bearer(other), {"X-API-Key": other} | bearer(key)):
        assert_envelope(anybody.get("collections", headers=headers), "AUTHENTICATION_REQUIRED")


@pytest.mark.parametrize("state", ["nonsense", "expired", "paused", "deactivated"])
def test_one_bad_credential_spoils_a_good_one(server: Service, anybody: httpx.Client, key: str, state: str) -> None:
    bad = "nonsense"
    if state == "expired":
        bad = server.expired_key(ALICE)
    elif state != "nonsense":
        bad = server.key(ALICE, state=state)[1]
    code = "AUTHENTICATION_REQUIRED" if state == "nonsense" else f"API_KEY_{state.upper()}"
    for headers in ({"X-API-Key": key} | bearer(bad), {"X-API-Key": bad} | bearer(key)):
        assert_envelope(anybody.get("collections", headers=headers), code)


@pytest.mark.parametrize("same", [True, False])
def test_a_credential_header_comes_once(anybody: httpx.Client, key: str, bob: httpx.Client, same: bool) -> None:
    other = key if same else str(bob.headers["X-API-Key"])
    twice: list[Headers] = [
        [("X-API-Key", key), ("X-API-Key", other)],
        [("X-API-Key", key), ("x-api-key", other)],
        [("Authorization", f"Bearer {key}"), ("Authorization", f"Bearer {other}")],
    ]
    for headers in twice:
        assert_envelope(anybody.get("collections", headers=headers), "MALFORMED_REQUEST")


def test_a_header_that_looks_like_the_keys_is_refused(anybody: httpx.Client, key: str) -> None:
    assert_envelope(anybody.get("collections", headers={"X_API_Key": key, "X-API-Key": key}), "MALFORMED_REQUEST")


def test_what_becomes_of_a_key_counts_from_the_next_request_on(server: Service) -> None:
    key_id, secret = server.key(ALICE)
    client = server.client(secret)
    connections = set()
    for state, code in (
        ("active", None), ("paused", "API_KEY_PAUSED"), ("active", None), ("deactivated", "API_KEY_DEACTIVATED"),
    ):  # fmt: skip
        server.set_state(key_id, state)
        response = client.get("collections")
        connections.add(response.extensions["network_stream"].get_extra_info("client_addr"))
        assert response.status_code == 200 if code is None else assert_envelope(response, code)
    assert len(connections) == 1, "the test is worth something only on one kept connection"


@pytest.mark.slow
def test_a_key_ends_when_its_time_is_over(server: Service) -> None:

    client = server.client(server.key(ALICE, expires_at=datetime.now(UTC) + timedelta(seconds=2))[1])
    assert client.get("collections").status_code == 200
    time.sleep(2.1)
    assert_envelope(client.get("collections"), "API_KEY_EXPIRED")


def test_no_secret_is_ever_logged(server: Service, anybody: httpx.Client, key: str) -> None:
    for headers in ({"X-API-Key": key}, bearer(key), {"X-API-Key": f"{key}x"}, {"X-Request-ID": key}, {"Referer": key}):
        anybody.get("collections", headers=headers)
    anybody.get("collections", params={"api_key": key})
    anybody.get(f"collections/{key}", headers={"X-API-Key": key})
    assert key not in server.log_text()


# What is looked at first.


def test_a_bad_key_comes_before_every_other_fault(anybody: httpx.Client) -> None:
    bad = {"X-API-Key": "nonsense"}
    for response in (
        anybody.post("collections", content=b"{", headers=bad | {"Content-Type": "application/json"}),
        anybody.post("collections", content=b"<a/>", headers=bad | {"Content-Type": "application/xml"}),
        anybody.post("collections", json={"name": "a" * 1024 * 1024}, headers=bad),
        anybody.post("collections", json={"name": ""}, headers=bad),
        anybody.get("collections?limit=0&colour=red", headers=bad),
        anybody.get("collections", headers=bad | {"Accept": "text/html"}),
        anybody.get(f"collections/{NOBODYS}", headers=bad),
    ):
        assert_envelope(response, "AUTHENTICATION_REQUIRED")


def test_a_missing_scope_comes_before_the_form(server: Service) -> None:
    reader = server.client(server.key(ALICE, scopes=["music:read"])[1])
    assert_envelope(reader.post("collections", json={"name": ""}), "INSUFFICIENT_PERMISSIONS")
    assert_envelope(reader.patch(f"collections/{NOBODYS}", json={"name": ""}), "INSUFFICIENT_PERMISSIONS")


def test_the_form_comes_before_the_row(alice: httpx.Client, mallory: httpx.Client, collection: dict[str, Any]) -> None:
    for client, collection_id in ((mallory, collection["id"]), (alice, NOBODYS)):
        path = f"collections/{collection_id}"
        assert_envelope(client.patch(path, json={"name": ""}), "VALIDATION_ERROR")
        assert_envelope(client.post(f"{path}/tracks", json={"track_id": "x"}), "VALIDATION_ERROR")
        assert_envelope(client.get(f"{path}?colour=red"), "VALIDATION_ERROR")
        assert_envelope(client.patch(path, json={"name": "fine"}), "RESOURCE_NOT_FOUND")
    assert_envelope(mallory.post("collections", json={"name": ""}), "VALIDATION_ERROR")


# Tokens.


def test_a_token_acts_for_its_user(by_secret: httpx.Client, alice: httpx.Client) -> None:
    made = new_collection(alice)
    response = by_secret.get(f"collections/{made['id']}", headers=bearer(token()))
    assert (response.status_code, response.json()) == (200, made)
    assert_envelope(by_secret.get(f"collections/{made['id']}", headers=bearer(token(sub=BOB))), "RESOURCE_NOT_FOUND")


@pytest.mark.parametrize(("algorithm", "key"), [("RS256", RSA), ("ES256", EC)], ids=["RS256", "ES256"])
def test_a_token_of_a_known_private_key_is_good(by_key_set: httpx.Client, algorithm: str, key: Any) -> None:
    signed = token(key, {"alg": algorithm, "kid": key.kid})
    assert by_key_set.get("collections", headers=bearer(signed)).status_code == 200


def test_a_token_and_a_key_of_one_user_go_together(by_secret: httpx.Client, key: str) -> None:
    assert by_secret.get("collections", headers={"X-API-Key": key} | bearer(token())).status_code == 200
    response = by_secret.get("collections", headers={"X-API-Key": key} | bearer(token(sub=BOB)))
    assert_envelope(response, "AUTHENTICATION_REQUIRED")


def test_a_token_does_what_its_scope_allows(by_secret: httpx.Client) -> None:
    reader = bearer(token(scope="music:read"))
    assert by_secret.get("collections", headers=reader).status_code == 200
    assert_envelope(by_secret.post("collections", json={"name": "a"}, headers=reader), "INSUFFICIENT_PERMISSIONS")
    for scope in (None, "", "music:*", "MUSIC:READ"):
        assert_envelope(by_secret.get("collections", headers=bearer(token(scope=scope))), "INSUFFICIENT_PERMISSIONS")


def test_a_token_that_is_over_has_expired(by_secret: httpx.Client) -> None:
    response = by_secret.get("collections", headers=bearer(token(exp=int(time.time()) - 1)))
    assert_envelope(response, "TOKEN_EXPIRED")


def _by_hand(header: dict[str, Any], secret: bytes | None = SECRET.encode()) -> str:
    """An HS256 token that no library would make; without a secret it has no signature."""
    head = {"alg": "HS256", "typ": "JWT"} | header
    body = {"sub": ALICE, "exp": int(time.time()) + 60, "scope": "music:read"}
    signed = f"{_encoded(json.dumps(head).encode())}.{_encoded(json.dumps(body).encode())}"
    return f"{signed}." + ("" if secret is None else _encoded(hmac.digest(secret, signed.encode(), "sha256")))


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _tampered() -> str:
    head, body, signature = token().split(".")
    other = token(sub=BOB).split(".")[1]
    assert body != other
    return f"{head}.{other}.{signature}"


BAD_TOKENS: dict[str, Callable[[], str]] = {
    "no algorithm": lambda: _by_hand({"alg": "none"}, None),
    "no algorithm, in capitals": lambda: _by_hand({"alg": "NONE"}, None),
    "no signature": lambda: _by_hand({}, None),
    "another body": _tampered,
    "another secret": lambda: token(OctKey.import_key("x" * 50)),
    "an algorithm that is not allowed": lambda: _by_hand({"alg": "HS512"}),
    "a private key": lambda: token(RSA, {"alg": "RS256"}),
    "no user": lambda: token(sub=None),
    "an empty user": lambda: token(sub=""),
    "a user of another type": lambda: token(sub=1),
    "an unknown user": lambda: token(sub="user_unknown"),
    "no end": lambda: token(exp=None),
    "an end that is text": lambda: token(exp="tomorrow"),
    "not yet": lambda: token(nbf=int(time.time()) + 60),
    "a scope that is a list": lambda: token(scope=["music:read"]),
    "a critical extension": lambda: _by_hand({"crit": ["exotic"], "exotic": 1}),
    "three words": lambda: "a.b.c",
    "no JSON inside": lambda: "AAAA.AAAA.AAAA",
}


@pytest.mark.parametrize("fault", BAD_TOKENS)
def test_a_token_with_a_fault_is_invalid(by_secret: httpx.Client, fault: str) -> None:
    response = by_secret.get("collections", headers=bearer(BAD_TOKENS[fault]()))
    assert_envelope(response, "TOKEN_INVALID")


BAD_FOR_KEY_SET: dict[str, Callable[[], str]] = {
    "signed with the public key as a secret": lambda: _by_hand({"kid": RSA.kid}, RSA.as_pem(private=False)),
    "signed by a stranger": lambda: token(STRANGE_RSA, {"alg": "RS256", "kid": RSA.kid}),
    "brings its own key": lambda: token(
        STRANGE_RSA, {"alg": "RS256", "kid": RSA.kid, "jwk": STRANGE_RSA.as_dict(private=False)}
    ),
    "the key of another algorithm": lambda: token(EC, {"alg": "ES256", "kid": RSA.kid}),
    "an unknown key id": lambda: token(RSA, {"alg": "RS256", "kid": "other"}),
    "no algorithm": lambda: _by_hand({"alg": "none"}, None),
}


@pytest.mark.parametrize("fault", BAD_FOR_KEY_SET)
def test_a_token_that_no_known_key_signed_is_invalid(by_key_set: httpx.Client, fault: str) -> None:
    response = by_key_set.get("collections", headers=bearer(BAD_FOR_KEY_SET[fault]()))
    assert_envelope(response, "TOKEN_INVALID")


def test_a_token_is_meant_for_this_service_and_from_its_issuer(services: Services, server: Service) -> None:
    picky = services.variant(server, JWT_SECRET=SECRET, JWT_ISSUER="https://id.example", JWT_AUDIENCE="music").client()
    good = {"iss": "https://id.example", "aud": "music"}
    for claims in (good, good | {"aud": ["other", "music"]}):
        assert picky.get("collections", headers=bearer(token(**claims))).status_code == 200
    for wrong in ({"iss": "https://evil.example"}, {"iss": None}, {"aud": "other"}, {"aud": ["other"]}, {"aud": None}):
        assert_envelope(picky.get("collections", headers=bearer(token(**good | wrong))), "TOKEN_INVALID")


@ON_ONE_DATABASE
def test_a_server_without_token_keys_takes_no_token(anybody: httpx.Client) -> None:
    assert_envelope(anybody.get("collections", headers=bearer(token())), "TOKEN_INVALID")
