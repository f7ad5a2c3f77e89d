"""ASGI middleware of the mock: reads Prefer, delays the response, and sends Preference-Applied.

Decision 55.
"""

from __future__ import annotations

import asyncio

from mock.dispatcher import PREFERENCES
from mock.preferences import Preferences, read
from web.asgi import App, Message, Receive, Scope, Send


class PreferMiddleware:
    """Adds the mock's preferences to the application of the service."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        preferences = read(scope["headers"])

        async def send_applied(message: Message) -> None:
            if message["type"] == "http.response.start":
                await _wait(preferences)
                message = {**message, "headers": [*message["headers"], *_applied(preferences)]}
            await send(message)

        # Without the extension SINGLE_MESSAGE, in which the headers are encoded already.
        await self.app({**scope, PREFERENCES: preferences, "extensions": {}}, receive, send_applied)


async def _wait(preferences: Preferences) -> None:
    if preferences.delay_ms is not None:
        await asyncio.sleep(preferences.delay_ms / 1000)
        preferences.applied.append(f"delay={preferences.delay_ms}")


def _applied(preferences: Preferences) -> list[tuple[bytes, bytes]]:
    """Preference-Applied (RFC 7240 section 3)."""
    return [(b"preference-applied", ", ".join(preferences.applied).encode("latin-1"))] if preferences.applied else []
