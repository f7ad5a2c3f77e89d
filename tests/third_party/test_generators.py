"""Third-party generators make clients of the client view that compile, work, and survive a later minor version."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
from collections.abc import Iterator
from threading import Thread
from typing import Any

import pytest

from tests.third_party.growing_proxy import NEW_CODE, GrowingProxy
from tests.third_party.toolchains import CLIENTS, TOOLCHAINS, prepared
from tools.testing.service import HOME, NO_COLLECTION, Service, Services

TIMEOUT_SECONDS = 60
# Clients that cannot send null, so that they cannot clear a field.
WITHOUT_NULL = ("progenitor",)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    services = Services(tmp_path_factory.mktemp("services"))
    yield services.actors("sqlite").service
    services.close()


@pytest.fixture(scope="module")
def proxy(service: Service) -> Iterator[GrowingProxy]:
    server = GrowingProxy(int(service.url.rpartition(":")[2]))
    Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("name", TOOLCHAINS)
def test_clients_are_generated_and_compile_strictly(name: str) -> None:
    assert prepared(name).folder.is_dir()


@pytest.mark.parametrize("name", CLIENTS)
def test_client_works(service: Service, name: str) -> None:
    _check(name, _drive(service, name, service.url), "RESOURCE_NOT_FOUND")


@pytest.mark.parametrize("name", CLIENTS)
def test_client_survives_a_later_minor_version(service: Service, proxy: GrowingProxy, name: str) -> None:
    _check(name, _drive(service, name, proxy.url), NEW_CODE)


def _drive(service: Service, name: str, url: str) -> dict[str, Any]:
    """What the driver of a client prints, for a user without collections."""
    toolchain = prepared(CLIENTS[name])
    key = service.key(f"user_{secrets.token_hex(8)}")[1]
    done = subprocess.run(
        toolchain.clients[name],
        cwd=toolchain.folder,
        env=os.environ | {"URL": f"{url}/v1", "API_KEY": key, "ORGANIZATION": HOME},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    outcome: dict[str, Any] = json.loads(done.stdout)
    return outcome


def _check(name: str, outcome: dict[str, Any], code: str) -> None:
    made = outcome["made"]
    assert outcome == {
        "made": made,
        "again": made,
        "read": "For deep work",
        "patched": None if name not in WITHOUT_NULL else "For sleep",
        "name": "Focus Sessions",
        "listed": [made],
        "status": 404,
        "code": code,
        "missing": NO_COLLECTION,
    }
