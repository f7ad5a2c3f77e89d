"""Views of the contract, as clients get them: strict, relaxed for client generators, and in OpenAPI 3.1."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import yaml

from web.contract import openapi_31, relaxed_contract
from web.contract.reading import JSON, base_path

YAML = "application/yaml"


@dataclass(frozen=True, slots=True)
class Published:
    """A view of the contract: encoded, with its media type and its entity tag."""

    body: bytes
    media_type: str
    tag: str


class Contract:
    """The contract of one application. `document` is the bundled OpenAPI document; treat it as read-only.

    The views that clients get name the server's absolute URL if the public address, such as `https://music.example`,
    is known; otherwise its URL is a path, which clients resolve against the address that they got the view from
    (OpenAPI 3.0.3, Server Object).
    """

    def __init__(self, document: dict[str, Any], public_url: str = "") -> None:
        self.document = document
        self._public_url = public_url
        self._published: dict[str, Published] = {}

    def published(self, view: str) -> Published:
        """The view `strict`, `client`, `3.1` or `yaml` (the strict one as YAML); the tag is a hash of its bytes."""
        if view not in self._published:
            self._published[view] = VIEWS[view](with_server(self.document, self._public_url))
        return self._published[view]


def yaml_path(document: dict[str, Any]) -> str:
    """The path at which the strict view is served as YAML. It is no operation: client generators cannot parse YAML."""
    return base_path(document) + "/openapi.yaml"


def with_server(document: dict[str, Any], public_url: str) -> dict[str, Any]:
    """The document with `public_url` before each server URL that is a path, also of single paths."""
    if not public_url:
        return document
    paths = {template: _absolute(item, public_url) for template, item in document["paths"].items()}
    return _absolute(document, public_url) | {"paths": paths}


def _absolute(holder: dict[str, Any], public_url: str) -> dict[str, Any]:
    """A document or a Path Item Object with the absolute URLs of its servers."""
    if "servers" not in holder:
        return holder
    servers = holder["servers"]
    absolute = [s | {"url": public_url + s["url"]} if s["url"].startswith("/") else s for s in servers]
    return holder | {"servers": absolute}


def _json(document: dict[str, Any]) -> Published:
    return _with_tag(json.dumps(document, ensure_ascii=False).encode(), JSON)


def _yaml(document: dict[str, Any]) -> Published:
    text = yaml.dump(document, Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True, width=120)
    return _with_tag(text.encode(), YAML)


def _with_tag(body: bytes, media_type: str) -> Published:
    return Published(body, media_type, hashlib.sha256(body).hexdigest()[:16])


VIEWS: dict[str, Callable[[dict[str, Any]], Published]] = {
    "strict": _json,
    "client": lambda document: _json(relaxed_contract.relax(document)),
    "3.1": lambda document: _json(openapi_31.convert(document)),
    "yaml": _yaml,
}
