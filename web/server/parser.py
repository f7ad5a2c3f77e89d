"""Offers to speak another protocol, such as `Upgrade: h2c`, are ignored; the request is read as if none had come."""

from __future__ import annotations

from typing import Any

import httptools

# With the offer goes what only the other protocol would read (RFC 7540 section 3.2.1).
_OFFER = (b"upgrade", b"http2-settings")


class Parser:
    """httptools' parser, which ends at an offer and takes the content behind it for the other protocol's.

    A server may ignore an offer, but the request itself still stands (RFC 9110 section 7.8): so its header is read once
    more without the offer, and its content after that. WebSocket is refused instead, by `web.http.request_checks`.
    """

    def __init__(self, protocol: Any) -> None:
        self._protocol = protocol
        self._reset()

    def feed_data(self, data: bytes) -> None:
        """Raises what httptools raises; HttpParserUpgrade only for WebSocket."""
        try:
            self._feed(data)
        except httptools.HttpParserUpgrade as offer:
            if not self.ignores_upgrade():
                raise
            head = self._head_without_upgrade()
            self._reset()
            self.feed_data(head + data[offer.args[0] :])

    def ignores_upgrade(self) -> bool:
        """Whether the request that is being read makes an offer, and will be read again without it."""
        if not self.should_upgrade():
            return False
        offered = [value.lower() for name, value in self._protocol.headers if name == b"upgrade"]
        # None is there with CONNECT, which the parser takes for an offer too.
        return bool(offered) and not any(b"websocket" in value for value in offered)

    def _reset(self) -> None:
        parser = httptools.HttpRequestParser(self._protocol)
        parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does with its own
        # What is asked of it for every request; to look these up each time took a twentieth of the whole answer.
        self._feed = parser.feed_data
        self.get_http_version, self.get_method = parser.get_http_version, parser.get_method
        self.should_keep_alive, self.should_upgrade = parser.should_keep_alive, parser.should_upgrade

    def _head_without_upgrade(self) -> bytes:
        version = self.get_http_version().encode()
        lines = [self.get_method() + b" " + self._protocol.url + b" HTTP/" + version]
        lines += [name + b": " + value for name, value in self._protocol.headers if name not in _OFFER]
        return b"\r\n".join([*lines, b"", b""])
