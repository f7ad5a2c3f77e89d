"""Redaction: masks API keys and tokens, so that no log line and no error contains a secret."""

from __future__ import annotations

import re

_SECRET = re.compile(r"msk_[0-9A-Za-z]{8,}|eyJ[0-9A-Za-z_-]+\.[0-9A-Za-z_-]+\.?[0-9A-Za-z_-]*")


def redact(text: str) -> str:
    """The text with every API key and token replaced by `***`."""
    return _SECRET.sub("***", text)
