"""Authentication: API keys and JWTs, alone and together, and the order of the checks."""

import base64
import hmac
import itertools
import json
import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.errors import ExpiredTokenError
from joserfc.jwk import ECKey, KeySet, OctKey, RSAKey
from sqlalchemy import delete

from models import organizations
from models.db import connection
from models.schema import memberships
from tools.testing.service import (
    ALICE,
    AWAY,
    BOB,
    HOME,
    NO_COLLECTION,
    ON_ONE_DATABASE,
    Service,
    Services,
    assert_envelope,
    new_collection,
)
from web.exceptions import TokenExpired, TokenInvalid
from web.security.jwt import JWTVerifier

SECRET = "the shared secret of these tests, 32 bytes or more"
RSA, EC, STRANGE_RSA = (
    RSAKey.generate_key(2048, {"kid": "rsa-1"}),
    ECKey.generate_key("P-256", {"kid": "ec-1"}),
    RSAKey.generate_key(2048, {"kid": "rsa-1"}),
)
Headers = list[tuple[str, str]]


def token(key: Any = None, header: dict[str, Any] | None = None, **claims: Any) -> str:
    """A JWT of alice, valid for a minute unless the claims say otherwise; None omits a claim."""
    whole = {"sub": ALICE, "exp": int(time.time()) + 60, "scope": "music:read music:write"} | claims
    kept = {name: value for name, value in whole.items() if value is not None}
    return jwt.encode({"alg": "HS256"} | (header or {}), kept, key or OctKey.import_key(SECRET))


def bearer(credential: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {credential}"}


@pytest.fixture
def key(alice: httpx.Client) -> str:
    return str(alice.headers["X-API-Key"])


@pytest.fixture
def anonymous(server: Service) -> httpx.Client:
    return server.client()


@pytest.fixture
def by_secret(services: Services, server: Service) -> httpx.Client:
    """A client of a server with a shared JWT secret."""
    return services.variant(server, JWT_SECRET=SECRET).client()


@pytest.fixture
def by_key_set(services: Services, server: Service) -> httpx.Client:
    """A client of a server with a JWKS of two keys."""
    file = services.folder / "jwks.json"
    if not file.exists():
        file.write_text(json.dumps(KeySet([RSA, EC]).as_dict(private=False)), encoding="utf-8")
    return services.variant(server, JWT_JWKS_FILE=str(file)).client()


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_a_key_works_in_either_header(anonymous: httpx.Client, key: str, scheme: str) -> None:
    assert anonymous.get("collections", headers={"X-API-Key": key}).status_code == 200
    assert anonymous.get("collections", headers={"Authorization": f"{scheme} {key}"}).status_code == 200


MISSPELT: dict[str, Callable[[str], str]] = {
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


@pytest.mark.parametrize("fault", MISSPELT)
def test_misspelt_key_is_rejected(anonymous: httpx.Client, key: str, fault: str) -> None:
    misspelt = MISSPELT[fault](key).encode("latin-1")
    for name, prefix in ((b"X-API-Key", b""), (b"Authorization", b"Bearer ")):
        if not prefix or fault not in {"with a scheme", "nothing"}:
            error = assert_envelope(
                anonymous.get("collections", headers=[(name, prefix + misspelt)]), "AUTHENTICATION_REQUIRED"
            )
            assert error["system_message"] == "Missing or invalid authorization header"
            assert error["details"] == {}


@pytest.mark.parametrize("value", ["", "Bearer", "Basic YWxpY2U6YQ==", "{key}", "Bearer {key} {key}"])
def test_malformed_authorization_header_is_rejected(anonymous: httpx.Client, key: str, value: str) -> None:
    response = anonymous.get("collections", headers={"Authorization": value.format(key=key)})
    assert_envelope(response, "AUTHENTICATION_REQUIRED")


def test_key_in_query_or_cookie_is_ignored(anonymous: httpx.Client, key: str) -> None:
    for response in (
        anonymous.get("collections", params={"api_key": key, "X-API-Key": key}),
        anonymous.get("collections", headers={"Cookie": f"X-API-Key={key}"}),
    ):
        assert_envelope(response, "AUTHENTICATION_REQUIRED")


def test_two_credentials_of_one_user_are_accepted(server: Service, anonymous: httpx.Client, key: str) -> None:
    second = server.key(ALICE)[1]
    for other in (key, second):
        assert anonymous.get("collections", headers={"X-API-Key": key} | bearer(other)).status_code == 200


def test_two_credentials_have_the_intersection_of_scopes(server: Service, anonymous: httpx.Client, key: str) -> None:
    reader = server.key(ALICE, scopes=["music:read"])[1]
    for headers in ({"X-API-Key": key} | bearer(reader), {"X-API-Key": reader} | bearer(key)):
        assert anonymous.get("collections", headers=headers).status_code == 200
        assert_envelope(anonymous.post("collections", json={"name": "a"}, headers=headers), "INSUFFICIENT_PERMISSIONS")


def test_credentials_of_two_users_are_rejected(anonymous: httpx.Client, key: str, bob: httpx.Client) -> None:
    other = bob.headers["X-API-Key"]
    for headers in ({"X-API-Key": key} | bearer(other), {"X-API-Key": other} | bearer(key)):
        refused = assert_envelope(anonymous.get("collections", headers=headers), "AUTHENTICATION_REQUIRED")
        assert refused["details"] == {}, "each of them is valid"


@pytest.mark.parametrize("state", ["nonsense", "expired", "paused", "deactivated"])
def test_invalid_credential_beside_a_valid_one_is_rejected(
    server: Service, anonymous: httpx.Client, key: str, state: str
) -> None:
    bad = "nonsense"
    if state == "expired":
        bad = server.expired_key(ALICE)
    elif state != "nonsense":
        bad = server.key(ALICE, state=state)[1]
    code = "AUTHENTICATION_REQUIRED" if state == "nonsense" else f"API_KEY_{state.upper()}"
    for headers, field in (
        ({"X-API-Key": key} | bearer(bad), "authorization"),
        ({"X-API-Key": bad} | bearer(key), "x-api-key"),
    ):
        refused = assert_envelope(anonymous.get("collections", headers=headers), code)
        assert refused["details"] == {"field": field}
    alone = assert_envelope(anonymous.get("collections", headers={"X-API-Key": bad}), code)
    assert alone["details"] == {}


def test_malformed_authorization_beside_a_key_is_named(anonymous: httpx.Client, key: str) -> None:
    for value in ("Basic YTpi", "Bearer", "Bearer \xe9"):
        headers = [(b"X-API-Key", key.encode()), (b"Authorization", value.encode("latin-1"))]
        refused = assert_envelope(anonymous.get("collections", headers=headers), "AUTHENTICATION_REQUIRED")
        assert refused["details"] == {"field": "authorization"}


@pytest.mark.parametrize("same", [True, False])
def test_duplicate_credential_header_is_malformed(
    anonymous: httpx.Client, key: str, bob: httpx.Client, same: bool
) -> None:
    other = key if same else str(bob.headers["X-API-Key"])
    twice: list[Headers] = [
        [("X-API-Key", key), ("X-API-Key", other)],
        [("X-API-Key", key), ("x-api-key", other)],
        [("Authorization", f"Bearer {key}"), ("Authorization", f"Bearer {other}")],
    ]
    for headers in twice:
        assert_envelope(anonymous.get("collections", headers=headers), "MALFORMED_REQUEST")


def test_underscore_variant_of_the_key_header_is_malformed(anonymous: httpx.Client, key: str) -> None:
    assert_envelope(anonymous.get("collections", headers={"X_API_Key": key, "X-API-Key": key}), "MALFORMED_REQUEST")


def test_key_state_change_applies_to_the_next_request(server: Service) -> None:
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
    assert len(connections) == 1, "all requests must use one keep-alive connection"


@pytest.mark.slow
def test_key_is_rejected_after_its_expiry(server: Service) -> None:

    client = server.client(server.key(ALICE, expires_at=datetime.now(UTC) + timedelta(seconds=2))[1])
    assert client.get("collections").status_code == 200
    time.sleep(2.1)
    assert_envelope(client.get("collections"), "API_KEY_EXPIRED")


def test_no_secret_is_ever_logged(server: Service, anonymous: httpx.Client, key: str) -> None:
    for headers in ({"X-API-Key": key}, bearer(key), {"X-API-Key": f"{key}x"}, {"X-Request-ID": key}, {"Referer": key}):
        anonymous.get("collections", headers=headers)
    anonymous.get("collections", params={"api_key": key})
    last = anonymous.get(f"collections/{key}", headers={"X-API-Key": key})
    assert server.log_lines(last.headers["X-Request-ID"])
    assert key not in server.log_text()


# Order of the checks.


def test_authentication_is_checked_before_everything_else(anonymous: httpx.Client) -> None:
    bad = {"X-API-Key": "nonsense"}
    for response in (
        anonymous.post("collections", content=b"{", headers=bad | {"Content-Type": "application/json"}),
        anonymous.post("collections", content=b"<a/>", headers=bad | {"Content-Type": "application/xml"}),
        anonymous.post("collections", json={"name": "a" * 1024 * 1024}, headers=bad),
        anonymous.post("collections", json={"name": ""}, headers=bad),
        anonymous.get("collections?limit=0&colour=red", headers=bad),
        anonymous.get("collections", headers=bad | {"Accept": "text/html"}),
        anonymous.get(f"collections/{NO_COLLECTION}", headers=bad),
    ):
        assert_envelope(response, "AUTHENTICATION_REQUIRED")


def test_scope_is_checked_before_validation(server: Service) -> None:
    reader = server.client(server.key(ALICE, scopes=["music:read"])[1])
    assert_envelope(reader.post("collections", json={"name": ""}), "INSUFFICIENT_PERMISSIONS")
    assert_envelope(reader.patch(f"collections/{NO_COLLECTION}", json={"name": ""}), "INSUFFICIENT_PERMISSIONS")


def test_validation_is_checked_before_the_row(
    alice: httpx.Client, mallory: httpx.Client, collection: dict[str, Any]
) -> None:
    for client, collection_id in ((mallory, collection["id"]), (alice, NO_COLLECTION)):
        path = f"collections/{collection_id}"
        assert_envelope(client.patch(path, json={"name": ""}), "VALIDATION_ERROR")
        assert_envelope(client.post(f"{path}/tracks", json={"track_id": "x"}), "VALIDATION_ERROR")
        assert_envelope(client.get(f"{path}?colour=red"), "VALIDATION_ERROR")
        assert_envelope(client.patch(path, json={"name": "fine"}), "RESOURCE_NOT_FOUND")
    assert_envelope(mallory.post("collections", json={"name": ""}), "VALIDATION_ERROR")


# Tokens.


def test_token_authenticates_its_user(by_secret: httpx.Client, alice: httpx.Client) -> None:
    made = new_collection(alice)
    response = by_secret.get(f"collections/{made['id']}", headers=bearer(token()))
    assert (response.status_code, response.json()) == (200, made)
    assert_envelope(by_secret.get(f"collections/{made['id']}", headers=bearer(token(sub=BOB))), "RESOURCE_NOT_FOUND")


@pytest.mark.parametrize(("algorithm", "key"), [("RS256", RSA), ("ES256", EC)], ids=["RS256", "ES256"])
def test_token_signed_with_a_jwks_key_is_accepted(by_key_set: httpx.Client, algorithm: str, key: Any) -> None:
    signed = token(key, {"alg": algorithm, "kid": key.kid})
    assert by_key_set.get("collections", headers=bearer(signed)).status_code == 200


def test_token_and_key_of_one_user_are_accepted(by_secret: httpx.Client, key: str) -> None:
    assert by_secret.get("collections", headers={"X-API-Key": key} | bearer(token())).status_code == 200
    response = by_secret.get("collections", headers={"X-API-Key": key} | bearer(token(sub=BOB)))
    assert_envelope(response, "AUTHENTICATION_REQUIRED")


def test_token_without_the_scope_gets_403(by_secret: httpx.Client) -> None:
    reader = bearer(token(scope="music:read"))
    assert by_secret.get("collections", headers=reader).status_code == 200
    assert_envelope(by_secret.post("collections", json={"name": "a"}, headers=reader), "INSUFFICIENT_PERMISSIONS")
    for scope in (None, "", "music:*", "MUSIC:READ"):
        assert_envelope(by_secret.get("collections", headers=bearer(token(scope=scope))), "INSUFFICIENT_PERMISSIONS")


def test_expired_token_gets_token_expired(by_secret: httpx.Client) -> None:
    response = by_secret.get("collections", headers=bearer(token(exp=int(time.time()) - 1)))
    assert_envelope(response, "TOKEN_EXPIRED")


def _handmade(header: dict[str, Any], secret: bytes | None = SECRET.encode()) -> str:
    """A hand-made HS256 token; without a secret it has no signature."""
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


def _signed(claims: bytes, header: bytes = b'{"alg": "HS256"}') -> str:
    """A token of raw claims with a valid signature."""
    signed = f"{_encoded(header)}.{_encoded(claims)}"
    return f"{signed}.{_encoded(hmac.digest(SECRET.encode(), signed.encode(), 'sha256'))}"


def _with_claims(more: str) -> str:
    """A token of alice with more claims, as raw JSON."""
    return _signed(f'{{"sub": "{ALICE}", "exp": {int(time.time()) + 60}, "scope": "music:read", {more}}}'.encode())


BAD_TOKENS: dict[str, Callable[[], str]] = {
    "no algorithm": lambda: _handmade({"alg": "none"}, None),
    "no algorithm, in capitals": lambda: _handmade({"alg": "NONE"}, None),
    "no signature": lambda: _handmade({}, None),
    "another body": _tampered,
    "another secret": lambda: token(OctKey.import_key("x" * 50)),
    "an algorithm that is not allowed": lambda: _handmade({"alg": "HS512"}),
    "a private key": lambda: token(RSA, {"alg": "RS256"}),
    "no user": lambda: token(sub=None),
    "an empty user": lambda: token(sub=""),
    "a user of another type": lambda: token(sub=1),
    "an unknown user": lambda: token(sub="user_unknown"),
    "no end": lambda: token(exp=None),
    "an end that is text": lambda: token(exp="tomorrow"),
    "not yet": lambda: token(nbf=int(time.time()) + 60),
    "a scope that is a list": lambda: token(scope=["music:read"]),
    "a critical extension": lambda: _handmade({"crit": ["exotic"], "exotic": 1}),
    "three words": lambda: "a.b.c",
    "no JSON inside": lambda: "AAAA.AAAA.AAAA",
    "claims nested deep in arrays": lambda: _signed(b'{"sub": "%s", "a": ' % ALICE.encode() + b"[" * 5000),
    "claims nested deep in objects": lambda: _with_claims('"a": ' + '{"":' * 4500 + "1" + "}" * 4500),
    "valid claims nested deep": lambda: _with_claims('"a": ' + "[" * 5000 + "]" * 5000),
    "a header nested deep": lambda: _signed(b"{}", b'{"alg": "HS256", "a": ' + b"[" * 5000 + b"]" * 5000 + b"}"),
    "claims that are no UTF-8": lambda: _signed(b'{"sub": "\xff"}'),
    "claims of zero bytes": lambda: _signed(b"\0" * 8),
    **{f"claims that are {text!r}": partial(_signed, text) for text in (b"[]", b'"a"', b"1", b"null")},
    **{f"the user {user!r:.20}": partial(_with_claims, f'"sub": {json.dumps(user)}')
       for user in ("\ud800", f"{ALICE}\0", "\0", "a" * 65, "a b", "caf\u00e9", "a\n", True, [ALICE], 1.5)},
    **{f"{claim} {text:.20}": partial(_with_claims, f'"{claim}": {text}')
       for claim in ("exp", "nbf", "iat")
       for text in ("NaN", "Infinity", "1e999", "9" * 5000, '"1"', "[]", "{}", "true", "null")},
}  # fmt: skip


@pytest.mark.parametrize("fault", BAD_TOKENS)
def test_invalid_token_gets_token_invalid(by_secret: httpx.Client, fault: str) -> None:
    response = by_secret.get("collections", headers=bearer(BAD_TOKENS[fault]()))
    assert_envelope(response, "TOKEN_INVALID")


def _subclasses(kind: type[BaseException]) -> set[type[BaseException]]:
    return {kind}.union(*map(_subclasses, kind.__subclasses__()))


LIBRARY_ERRORS = sorted(
    {error for error in _subclasses(Exception) if error.__module__.startswith("joserfc.")}
    | {RecursionError, UnicodeEncodeError, UnicodeDecodeError, OverflowError, ZeroDivisionError, AttributeError}
    | {LookupError, MemoryError, NotImplementedError, AssertionError},
    key=lambda error: error.__name__,
)


@pytest.mark.parametrize("error", LIBRARY_ERRORS)
def test_whatever_the_library_raises_the_token_is_invalid(
    error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise error.__new__(error)

    monkeypatch.setattr(jwt, "decode", fails)
    with pytest.raises(TokenExpired if issubclass(error, ExpiredTokenError) else TokenInvalid):
        JWTVerifier(SECRET).verify("a.b.c")


def test_scopes_are_separated_by_spaces_only() -> None:
    verifier = JWTVerifier(SECRET)
    assert "music:read" in verifier.verify(token(scope="other  music:read ")).scopes
    for separator in ("\u00a0", "\t", "\n", ",", "\u2003"):
        assert "music:read" not in verifier.verify(token(scope=f"other{separator}music:read")).scopes


BAD_FOR_KEY_SET: dict[str, Callable[[], str]] = {
    "signed with the public key as a secret": lambda: _handmade({"kid": RSA.kid}, RSA.as_pem(private=False)),
    "signed by a stranger": lambda: token(STRANGE_RSA, {"alg": "RS256", "kid": RSA.kid}),
    "brings its own key": lambda: token(
        STRANGE_RSA, {"alg": "RS256", "kid": RSA.kid, "jwk": STRANGE_RSA.as_dict(private=False)}
    ),
    "the key of another algorithm": lambda: token(EC, {"alg": "ES256", "kid": RSA.kid}),
    "an unknown key id": lambda: token(RSA, {"alg": "RS256", "kid": "other"}),
    "no algorithm": lambda: _handmade({"alg": "none"}, None),
}


@pytest.mark.parametrize("fault", BAD_FOR_KEY_SET)
def test_token_not_signed_by_a_jwks_key_is_invalid(by_key_set: httpx.Client, fault: str) -> None:
    response = by_key_set.get("collections", headers=bearer(BAD_FOR_KEY_SET[fault]()))
    assert_envelope(response, "TOKEN_INVALID")


ALGORITHMS = [
    "none", "None", "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "ES256K", "PS256",
    "PS512", "EdDSA", "", ["RS256"], 1, None,
]  # fmt: skip
KEY_IDS: list[Any] = [
    RSA.kid,
    EC.kid,
    "other",
    "",
    "../../../etc/passwd",
    "/dev/null",
    "' OR 1=1--",
    1,
    None,
    ["rsa-1"],
    {},
]
PUBLIC_SECRETS = {
    "nothing": b"", "PEM": RSA.as_pem(private=False), "DER": RSA.as_der(private=False),
    "JWK": json.dumps(RSA.as_dict(private=False)).encode(), "PEM of EC": EC.as_pem(private=False),
    "modulus": str(RSA.as_dict(private=False)["n"]).encode(), "zeros": bytes(32),
}  # fmt: skip


@pytest.fixture(scope="module")
def verifiers(tmp_path_factory: pytest.TempPathFactory) -> list[JWTVerifier]:
    """A verifier with a shared secret, and one with a key set."""
    file = tmp_path_factory.mktemp("keys") / "jwks.json"
    file.write_text(json.dumps(KeySet([RSA, EC]).as_dict(private=False)), encoding="utf-8")
    return [JWTVerifier(SECRET), JWTVerifier(jwks_file=str(file))]


@pytest.mark.parametrize("signature", PUBLIC_SECRETS)
def test_forged_signature_never_verifies(verifiers: list[JWTVerifier], signature: str) -> None:
    for algorithm, key_id, verifier in itertools.product(ALGORITHMS, KEY_IDS, verifiers):
        forged = _handmade({"alg": algorithm, "kid": key_id}, PUBLIC_SECRETS[signature] or None)
        with pytest.raises(TokenInvalid):
            verifier.verify(forged)


ODD_HEADERS: dict[str, dict[str, Any]] = {
    "a list of algorithms": {"alg": ["HS256"]}, "no algorithm": {"alg": None},
    "a critical extension": {"crit": ["exp"]}, "a critical extension that is a text": {"crit": "exp"},
    "a payload that is not encoded": {"b64": False, "crit": ["b64"]},
    "an encrypted token": {"alg": "dir", "enc": "A256GCM"}, "another algorithm": {"alg": "hs256"},
}  # fmt: skip
IGNORED_HEADERS: dict[str, dict[str, Any]] = {
    "its own key": {"jwk": OctKey.import_key("x" * 40).as_dict()}, "a key address": {"jku": "https://evil.example/jwks"},
    "a certificate address": {"x5u": "https://evil.example/"}, "a certificate": {"x5c": ["MIIB"]},
    "compression": {"zip": "DEF"},
}  # fmt: skip


@pytest.mark.parametrize("name", ODD_HEADERS)
def test_odd_header_does_not_verify(verifiers: list[JWTVerifier], name: str) -> None:
    for verifier in verifiers:
        with pytest.raises(TokenInvalid):
            verifier.verify(_handmade(ODD_HEADERS[name]))


@pytest.mark.parametrize("name", IGNORED_HEADERS)
def test_header_cannot_bring_a_key(verifiers: list[JWTVerifier], name: str) -> None:
    for secret in (b"x" * 40, b"another secret"):
        with pytest.raises(TokenInvalid):
            verifiers[0].verify(_handmade(IGNORED_HEADERS[name], secret))
        with pytest.raises(TokenInvalid):
            verifiers[1].verify(_handmade(IGNORED_HEADERS[name], secret))


@pytest.mark.parametrize(
    "change", ["cut", "longer", "padded", "another character", "blank", "a fourth part", "Unicode"]
)
def test_altered_token_does_not_verify(verifiers: list[JWTVerifier], change: str) -> None:
    good = token()
    verifiers[0].verify(good)
    other = "A" if good[-5] != "A" else "B"
    altered = {
        "cut": good[:-4], "longer": good + "AAAA", "padded": good + "=",
        "another character": good[:-5] + other + good[-4:],
        "blank": good + " ", "a fourth part": good + ".AAAA", "Unicode": good[:-1] + "\u00e9",
    }  # fmt: skip
    with pytest.raises(TokenInvalid):
        verifiers[0].verify(altered[change])


def test_token_of_a_removed_member_is_refused_at_the_next_request(server: Service, by_secret: httpx.Client) -> None:
    user = f"user_{secrets.token_hex(4)}"
    with server.use_database():
        organizations.join(HOME, user)
        organizations.join(AWAY, user)
    headers = bearer(token(sub=user))
    assert by_secret.get("collections", headers=headers).status_code == 200
    _remove_member(server, user, HOME)
    assert_envelope(by_secret.get("collections", headers=headers), "ORGANIZATION_ACCESS_DENIED")
    _remove_member(server, user, AWAY)
    assert_envelope(by_secret.get("collections", headers=headers), "TOKEN_INVALID")


def _remove_member(server: Service, user: str, organization: str) -> None:
    columns = memberships.c
    with server.use_database():
        connection.execute(delete(memberships).where(columns.user_id == user, columns.organization_id == organization))


def test_token_issuer_and_audience_are_checked(services: Services, server: Service) -> None:
    strict = services.variant(server, JWT_SECRET=SECRET, JWT_ISSUER="https://id.example", JWT_AUDIENCE="music").client()
    good = {"iss": "https://id.example", "aud": "music"}
    for claims in (good, good | {"aud": ["other", "music"]}):
        assert strict.get("collections", headers=bearer(token(**claims))).status_code == 200
    for wrong in ({"iss": "https://evil.example"}, {"iss": None}, {"aud": "other"}, {"aud": ["other"]}, {"aud": None}):
        assert_envelope(strict.get("collections", headers=bearer(token(**good | wrong))), "TOKEN_INVALID")


@ON_ONE_DATABASE
def test_server_without_jwt_keys_rejects_tokens(anonymous: httpx.Client) -> None:
    assert_envelope(anonymous.get("collections", headers=bearer(token())), "TOKEN_INVALID")
