"""HTTP parser that ignores `Upgrade` and parses the request as if the header were absent.

Java's HttpClient sends `Upgrade: h2c` with its first cleartext request by default, which is why this parser stays:
httptools alone would not parse the content of that request.
"""

from __future__ import annotations

from typing import Any

import httptools

# HTTP2-Settings belongs to an upgrade to h2c (RFC 7540 section 3.2.1).
_UPGRADE_FIELDS = (b"upgrade", b"http2-settings")


class Parser:
    """httptools' parser, which stops at an upgrade and treats the content after it as the other protocol's.

    A server may ignore Upgrade, and must then process the request as usual (RFC 9110 section 7.8): its header is parsed
    again without the upgrade fields, then its content. WebSocket is refused by `web.http.request_checks`.
    """

    def __init__(self, protocol: Any) -> None:
        self._protocol = protocol
        self._reset()

    def feed_data(self, data: bytes) -> None:
        """Raises httptools' exceptions; HttpParserUpgrade for WebSocket only."""
        try:
            self._feed(data)
        except httptools.HttpParserUpgrade as upgrade:
            if not self.ignores_upgrade():
                raise
            head = self._head_without_upgrade()
            self._reset()
            self.feed_data(head + data[upgrade.args[0] :])

    def ignores_upgrade(self) -> bool:
        """Whether the current request has an Upgrade header, and will be parsed again without it."""
        if not self.should_upgrade():
            return False
        protocols = [value.lower() for name, value in self._protocol.headers if name == b"upgrade"]
        # Empty for CONNECT, for which should_upgrade() is true as well.
        return bool(protocols) and not any(b"websocket" in value for value in protocols)

    def _reset(self) -> None:
        parser = httptools.HttpRequestParser(self._protocol)
        parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does with its own
        # Bound once, because looking these methods up for each request took 5 % of its time.
        self._feed = parser.feed_data
        self.get_http_version, self.get_method = parser.get_http_version, parser.get_method
        self.should_keep_alive, self.should_upgrade = parser.should_keep_alive, parser.should_upgrade

    def _head_without_upgrade(self) -> bytes:
        version = self.get_http_version().encode()
        lines = [self.get_method() + b" " + self._protocol.url + b" HTTP/" + version]
        lines += [name + b": " + value for name, value in self._protocol.headers if name not in _UPGRADE_FIELDS]
        return b"\r\n".join([*lines, b"", b""])
