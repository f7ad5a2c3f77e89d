"""The application of the pages, which is made for their first request; and the end of a server that has shown one."""

import asyncio
import time
from pathlib import Path

import httpx
import pytest

from tools.testing import databases
from tools.testing.server_process import Running
from web.asgi import Receive, Scope, Send
from web.connexion_app import MadeOnFirstUse


class Pages:
    """An application that counts."""

    made = closed = requests = 0

    def __init__(self) -> None:
        time.sleep(0.05)  # the other requests come meanwhile
        type(self).made += 1

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        type(self).requests += 1

    def close(self) -> None:
        type(self).closed += 1


async def _receive() -> dict[str, object]:
    return {}


async def _send(_: object) -> None:
    """Nobody reads the response."""


def test_parallel_first_requests_make_one_application(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("made", "closed", "requests"):
        monkeypatch.setattr(Pages, name, 0)

    async def use() -> None:
        app = MadeOnFirstUse(Pages)
        async with app.lifespan(None):
            await asyncio.gather(*(app({}, _receive, _send) for _ in range(5)))
            assert Pages.closed == 0

    asyncio.run(use())
    assert (Pages.made, Pages.requests, Pages.closed) == (1, 5, 1)


def test_other_work_goes_on_while_the_application_is_made() -> None:
    async def use() -> bool:
        going = asyncio.Event()
        app = MadeOnFirstUse(Pages)
        first = asyncio.create_task(app({}, _receive, _send))
        asyncio.get_running_loop().call_later(0.01, going.set)
        await going.wait()
        in_time = not first.done()
        await first
        return in_time

    assert asyncio.run(use())


def test_an_application_that_could_not_be_made_is_tried_again() -> None:
    attempts = [ImportError("no Flask"), None]

    def make() -> Pages:
        failure = attempts.pop(0)
        if failure:
            raise failure
        return Pages()

    async def use() -> None:
        app = MadeOnFirstUse(make)
        with pytest.raises(ImportError, match="no Flask"):
            await app({}, _receive, _send)
        await app({}, _receive, _send)

    asyncio.run(use())
    assert not attempts


def test_an_application_that_nobody_asked_for_is_not_made() -> None:
    async def use() -> None:
        async with MadeOnFirstUse(lambda: pytest.fail("it was made")).lifespan(None):
            """Nobody asks."""

    asyncio.run(use())


def test_a_server_that_has_shown_a_page_ends_at_once(tmp_path: Path) -> None:
    with databases.migrated("sqlite", tmp_path) as url:
        server = Running(url, tmp_path)
        try:
            server.await_ready()
            assert httpx.get(f"{server.url}/docs", timeout=30, trust_env=False).status_code == 200
            server.process.terminate()
            assert server.process.wait(30) == 0
        finally:
            server.process.kill()
        assert "shutdown timeout exceeded" not in server.log_text()
