"""Configuration of the HTTP server: uvicorn's Config with connection timeouts."""

from __future__ import annotations

from typing import Any

from uvicorn.config import Config


class ServerConfig(Config):
    """uvicorn's Config with header timeout, write timeout and lingering time, in seconds."""

    def __init__(
        self,
        app: Any,
        *,
        header_timeout: float = 10.0,
        write_timeout: float = 30.0,
        linger: float = 2.0,
        **options: Any,
    ) -> None:
        super().__init__(app, **options)
        self.header_timeout, self.write_timeout, self.linger = header_timeout, write_timeout, linger
