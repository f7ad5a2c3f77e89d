"""The mock's outermost layer: reads Prefer, holds an answer back as long as was asked, and says what was heeded."""

from __future__ import annotations

import asyncio

from mock.dispatcher import PREFERENCES
from mock.preferences import Preferences, read
from web.asgi import App, Message, Receive, Scope, Send


class PreferMiddleware:
    """An ASGI application around Front; the service has none, and so pays no heed to these preferences."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        wishes = read(scope["headers"])

        async def tell(message: Message) -> None:
            if message["type"] == "http.response.start":
                await _wait(wishes)
                message = {**message, "headers": [*message["headers"], *_told(wishes)]}
            await send(message)

        # Without the server's extension, in which the fields are lines already.
        await self.app({**scope, PREFERENCES: wishes, "extensions": {}}, receive, tell)


async def _wait(wishes: Preferences) -> None:
    if wishes.delay_ms is not None:
        await asyncio.sleep(wishes.delay_ms / 1000)
        wishes.applied.append(f"delay={wishes.delay_ms}")


def _told(wishes: Preferences) -> list[tuple[bytes, bytes]]:
    """Preference-Applied (RFC 7240 section 3)."""
    return [(b"preference-applied", ", ".join(wishes.applied).encode("latin-1"))] if wishes.applied else []
