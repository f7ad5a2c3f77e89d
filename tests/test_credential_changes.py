"""A credential that loses its right while its request is sent, or waits for the database, does not write."""

import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, NamedTuple

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import OctKey
from sqlalchemy import Connection, delete, func, select, update

from models import keys
from models.base import now
from models.db import connection
from models.key_tables import api_keys
from models.schema import collections, memberships
from tools.testing.raw_client import RawClient, address
from tools.testing.service import AWAY, HOME, ON_DATABASES, PEPPER, Service, Services, assert_envelope
from web.security.authentication import MIN_LEASE_SECONDS

pytestmark = pytest.mark.slow

SECRET = "the shared secret of these tests, 32 bytes or more"
BODY = json.dumps({"name": "Late"}).encode()
PATH = f"/v1/music/{HOME}/collections"
PAUSE = MIN_LEASE_SECONDS + 0.1
MINE = select(func.count().label("rows")).select_from(collections)


class Credential(NamedTuple):
    """A credential of a new user: the id of its key (None for a token), and its header field."""

    user: str
    key_id: str | None
    field: tuple[str, str]


def key_of(server: Service) -> Credential:
    user = f"user_{secrets.token_hex(6)}"
    key_id, secret = server.key(user)
    return Credential(user, key_id, ("X-API-Key", secret))


def token_of(server: Service, *organizations: str, seconds: float = 60) -> Credential:
    user = f"user_{secrets.token_hex(6)}"
    server.write(memberships, [{"organization_id": o, "user_id": user, "created_at": now()} for o in organizations])
    claims = {"sub": user, "exp": time.time() + seconds, "scope": "music:read music:write"}
    token = jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(SECRET))
    return Credential(user, None, ("Authorization", f"Bearer {token}"))


def change(**values: object) -> Callable[[Credential], Any]:
    return lambda credential: update(api_keys).where(api_keys.c.id == credential.key_id).values(**values)


def leave(credential: Credential) -> Any:
    return delete(memberships).where(memberships.c.user_id == credential.user, memberships.c.organization_id == HOME)


# What the operator does, as a statement; the credential; and the error code.
CHANGES: dict[str, tuple[Callable[[Credential], Any], Callable[[Service], Credential], str]] = {
    "paused": (change(state="paused"), key_of, "API_KEY_PAUSED"),
    "revoked": (change(state="deactivated"), key_of, "API_KEY_DEACTIVATED"),
    "expired": (change(expires_at=now()), key_of, "API_KEY_EXPIRED"),
    "read only": (change(scopes=frozenset(["music:read"])), key_of, "INSUFFICIENT_PERMISSIONS"),
    "deleted": (lambda one: delete(api_keys).where(api_keys.c.id == one.key_id), key_of, "AUTHENTICATION_REQUIRED"),
    "in no organization": (leave, lambda server: token_of(server, HOME), "TOKEN_INVALID"),
    "in another organization": (leave, lambda server: token_of(server, HOME, AWAY), "ORGANIZATION_ACCESS_DENIED"),
}


@pytest.fixture
def verifying(services: Services, server: Service) -> Service:
    """A server that accepts tokens too."""
    return services.variant(server, JWT_SECRET=SECRET)


@contextmanager
def slow_body(server: Service, credential: Credential, method: str = "POST", body: bytes = BODY) -> Iterator[RawClient]:
    """A request whose last byte is still to be sent, and whose lease has expired."""
    head = f"{method} {PATH} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    with RawClient(address(server)) as client:
        client.send(f"{head}{credential.field[0]}: {credential.field[1]}\r\n\r\n".encode() + body[:-1])
        time.sleep(PAUSE)
        yield client


def finish(client: RawClient) -> httpx.Response:
    client.send(BODY[-1:])
    response = client.response()
    return httpx.Response(response.status, headers=response.headers, content=response.body)


def rows_of(server: Service, credential: Credential) -> int:
    with server.use_database():
        row = connection.fetch_one(MINE.where(collections.c.owner_id == credential.user))
    return int(row.rows) if row is not None else 0


@ON_DATABASES
@pytest.mark.parametrize("what", CHANGES)
def test_credential_changed_before_the_last_byte_of_the_body_does_not_write(verifying: Service, what: str) -> None:
    statement, make, code = CHANGES[what]
    credential = make(verifying)
    with slow_body(verifying, credential) as client:
        with verifying.use_database():
            assert connection.execute(statement(credential)) == 1
        assert_envelope(finish(client), code, ("POST", PATH))
    assert rows_of(verifying, credential) == 0


@ON_DATABASES
def test_credential_changed_before_the_last_byte_is_rejected_before_everything_else(verifying: Service) -> None:
    credential = key_of(verifying)
    with slow_body(verifying, credential, "POST", b"not JSON" + BODY[-1:]) as client:
        verifying.set_state(credential.key_id or "", "paused")
        assert_envelope(finish(client), "API_KEY_PAUSED", ("POST", PATH))


@ON_DATABASES
def test_key_rotated_before_the_last_byte_of_the_body_does_not_write(verifying: Service) -> None:
    credential = key_of(verifying)
    with slow_body(verifying, credential) as client:
        with verifying.use_database():
            key = keys.get(credential.key_id or "")
            assert key is not None
            assert keys.rotate(key, timedelta(0), None, pepper=PEPPER.encode()) is not None
        assert_envelope(finish(client), "API_KEY_EXPIRED", ("POST", PATH))
    assert rows_of(verifying, credential) == 0


@ON_DATABASES
def test_token_that_expires_before_the_last_byte_of_the_body_does_not_write(verifying: Service) -> None:
    credential = token_of(verifying, HOME, seconds=1.1)  # claims have whole seconds
    with slow_body(verifying, credential) as client:
        time.sleep(2)
        assert_envelope(finish(client), "TOKEN_EXPIRED", ("POST", PATH))
    assert rows_of(verifying, credential) == 0


@ON_DATABASES
def test_unchanged_credential_writes_after_a_slow_body(verifying: Service) -> None:
    for credential in (key_of(verifying), token_of(verifying, HOME)):
        with slow_body(verifying, credential) as client:
            assert finish(client).status_code == 201
        assert rows_of(verifying, credential) == 1


@ON_DATABASES
@pytest.mark.parametrize("what", CHANGES)
def test_credential_changed_while_its_write_waits_for_the_database_does_not_write(
    verifying: Service, what: str
) -> None:
    """The write is a transaction: on SQLite each is, on PostgreSQL with an Idempotency-Key."""
    statement, make, code = CHANGES[what]
    credential = make(verifying)
    headers = dict([credential.field]) | {"Idempotency-Key": secrets.token_hex(8)}
    with verifying.blocked_writes() as holder, post_in_background(verifying, headers) as responses:
        assert holder.execute(statement(credential)).rowcount == 1
        release(holder)
    assert_envelope(responses[0], code)
    assert rows_of(verifying, credential) == 0


@ON_DATABASES
def test_unchanged_credential_writes_after_it_has_waited_for_the_database(verifying: Service) -> None:
    credential = key_of(verifying)
    headers = dict([credential.field]) | {"Idempotency-Key": secrets.token_hex(8)}
    with verifying.blocked_writes() as holder, post_in_background(verifying, headers) as responses:
        release(holder)
    assert responses[0].status_code == 201
    assert rows_of(verifying, credential) == 1


@ON_DATABASES
@pytest.mark.parametrize("option", ["", "keepalives=1"], ids=["asyncpg", "psycopg"])
def test_credential_changed_while_its_write_waits_for_a_connection_does_not_write(
    services: Services, server: Service, kind: str, option: str
) -> None:
    url = server.database_url + (f"&{option}" if kind == "postgresql" and option else "")
    narrow = services.start(url, THREADS="1", KEY_CACHE_SECONDS="0.5")
    first, credential = key_of(server), key_of(server)
    keyed = dict([first.field]) | {"Idempotency-Key": secrets.token_hex(8)}
    # From now on its key is cached: its request needs no connection before that of its write.
    assert narrow.client(credential.field[1]).get("collections").status_code == 200
    with (
        narrow.blocked_writes() as holder,
        post_in_background(narrow, keyed) as ahead,
        post_in_background(narrow, dict([credential.field])) as responses,
    ):
        time.sleep(0.5)
        assert holder.execute(change(state="paused")(credential)).rowcount == 1
        release(holder)
    assert [response.status_code for response in ahead] == [201]
    assert_envelope(responses[0], "API_KEY_PAUSED")
    assert rows_of(server, credential) == 0


@contextmanager
def post_in_background(server: Service, headers: dict[str, str]) -> Iterator[list[httpx.Response]]:
    """A POST in a thread; the context begins when it has waited longer than its lease, and ends with the response."""
    responses: list[httpx.Response] = []
    client = server.client()
    thread = threading.Thread(
        target=lambda: responses.append(client.post("collections", content=BODY, headers=headers | JSON))
    )
    thread.start()
    time.sleep(PAUSE)
    yield responses
    thread.join(10)


JSON = {"Content-Type": "application/json"}


def release(holder: Connection) -> None:
    """Ends the transaction that locks out writes."""
    if holder.dialect.name == "sqlite":
        holder.exec_driver_sql("COMMIT")
    else:
        holder.commit()


def test_slow_request_is_counted_once_in_the_quota_of_its_credential(services: Services, server: Service) -> None:
    limited = services.start(server.database_url, RATE_LIMIT="100/day")
    credential = key_of(server)
    with slow_body(limited, credential) as client:
        slow = finish(client)
    after = limited.client(credential.field[1]).get("collections")
    assert slow.status_code == 201
    assert [response.headers["X-RateLimit-Remaining"] for response in (slow, after)] == ["99", "98"]
