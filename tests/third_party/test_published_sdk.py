"""The SDK that is published for this API works against the service, and waits as long as `Retry-After` says."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

import app
from mock.accounts import SECRETS
from ops import demo
from settings import Settings
from tests.third_party.toolchains import SDK, Toolchain
from tools.testing.service import HOME, NO_COLLECTION, Services
from tools.testing.thread_server import serving

# A window that ends long after a repeated request: who waits for its end waits longer than Retry-After says.
QUOTA = "1000000/day"
RETRIES = 2
EXAMPLES = {
    "internal_server_error": 500,
    "service_unavailable": 503,
    "idempotency_key_in_use": 409,
    "request_timeout": 408,
}


@pytest.fixture(scope="module", params=SDK.clients)
def line(request: pytest.FixtureRequest) -> str:
    """A line of versions of the SDK."""
    return str(request.param)


@pytest.fixture(scope="module")
def sdk() -> Toolchain:
    SDK.prepare()
    return SDK


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str, str]]:
    """URL, key and organization."""
    services = Services(tmp_path_factory.mktemp("services"))
    started = services.start(services.fresh_database("sqlite"), RATE_LIMIT=QUOTA, MAX_ACTIVE_JOBS="1")
    yield started.url, started.key(f"user_{secrets.token_hex(8)}")[1], HOME
    services.close()


def _drive(sdk: Toolchain, line: str, url: str, key: str, organization: str, examples: str = "") -> dict[str, Any]:
    environment = {"URL": url, "API_KEY": key, "ORGANIZATION": organization, "EXAMPLES": examples}
    done = subprocess.run(
        sdk.clients[line], cwd=sdk.folder, env=os.environ | environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    results: dict[str, Any] = json.loads(done.stdout)
    return results


def test_its_transport_works_against_the_service(sdk: Toolchain, line: str, service: tuple[str, str, str]) -> None:
    url, _, organization = service
    key = service[1]
    results = _drive(sdk, line, url, key, organization)
    jobs = results.pop("jobs")
    statuses = {name: result["status"] for name, result in results.items()}
    assert statuses == {
        "list": 200,
        "made": 201,
        "again": 201,
        "patched": 200,
        "missing": 404,
        "same_token": 200,
        "placeholder_token": 401,
    }
    assert results["made"]["body"]["id"] == results["again"]["body"]["id"]
    assert (results["patched"]["body"]["name"], results["patched"]["body"]["description"]) == ("Mine", None)
    assert results["missing"]["body"]["error"]["details"] == {"collection_id": NO_COLLECTION}
    refused = results["placeholder_token"]["body"]["error"]
    assert (refused["code"], refused["details"]) == ("AUTHENTICATION_REQUIRED", {"field": "authorization"})
    assert not [name for name, result in results.items() if result["waits"]]
    assert jobs[-1]["body"]["error"]["code"] == "TOO_MANY_ACTIVE_JOBS"
    assert jobs[-1]["waits"] == [float(jobs[-1]["retry_after"])] * RETRIES


def test_it_waits_as_long_as_retry_after_says(sdk: Toolchain, line: str) -> None:
    examples = " ".join(f"POST:{name}" for name in EXAMPLES)
    with serving(app.create_mock(Settings(rate_limit=QUOTA))) as url:
        results = _drive(sdk, line, url, SECRETS["alice"], demo.ORGANIZATION, examples)
    for name, status in EXAMPLES.items():
        assert results[name]["status"] == status
        assert results[name]["retry_after"] is not None, name
        assert results[name]["waits"] == [float(results[name]["retry_after"])] * RETRIES, name
