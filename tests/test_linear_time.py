"""Work for one input: every regular expression and every parser of request input takes time linear in its length.

No time is asserted, only how the time of a text compares with that of a quarter of it: 4 if it is linear, 16 if it is
quadratic.
"""

import contextlib
import importlib
import inspect
import json
import pkgutil
import re
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from types import ModuleType
from typing import Any, NamedTuple

import pytest

import web
from mock.preferences import read as read_preferences
from models.exceptions import Failure
from web.context import RequestContext
from web.contract import document as contract
from web.contract import strict_json
from web.contract.parameters import parse_query
from web.contract.reading import operations
from web.contract.schemas import Validator, sanitize
from web.contract.views import Contract
from web.default_headers import DefaultHeaders
from web.error_envelope import ErrorCatalog
from web.exceptions import Invalid, MalformedRequest
from web.http import preconditions, request_checks
from web.http.request_body import MAX_BODY_BYTES
from web.ratelimit.client_address import TrustedProxies
from web.redaction import redact
from web.router import Router
from web.security.jwt import JWTVerifier

LENGTH, FACTOR, MAX_RATIO = 2 * 1024, 4, 10
# A shorter time is that of the call, not of the text.
LEAST_SECONDS = 20e-6
UNITS = [
    "a", " ", ",", ";", ":", '"', "\\", "=", "/", ".", "-", "_", "0", "%", "%41", "[", "{", "&", "*", "\xe9", "\u20ac",
    "eyJ", "eyJ.", "eyJa-", "msk_", '\\"', '\\":', '"":', '":",', '"a":{', "[],", "1,", '"",', 'a="', ";q=0", "a/b,",
    "a=b,", 'W/"a",', "; ", ", ", "a ", "1.1.1.1,", "for=1;", "../",
]  # fmt: skip
ENDS = ["", "\0", "!"]
DOCUMENT = contract.document()


def modules() -> Iterator[ModuleType]:
    for package in (web, importlib.import_module("mock")):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            yield importlib.import_module(found.name)


class Use(NamedTuple):
    """A compiled regular expression of a module, and the methods by which the module uses it."""

    pattern: re.Pattern[Any]
    methods: frozenset[str]

    def apply(self, text: str) -> None:
        subject = text if isinstance(self.pattern.pattern, str) else text.encode()
        for method in self.methods:
            found = getattr(self.pattern, method)(*([""] if method == "sub" else []), subject)
            if method == "finditer":
                list(found)


def uses() -> Iterator[tuple[str, Use]]:
    """Every regular expression that a module of the service compiles, but for those that read the contract's files."""
    for module in modules():
        if module.__name__ == "web.contract.yaml_loader":
            continue
        source = inspect.getsource(module)
        for name, value in vars(module).items():
            if isinstance(value, re.Pattern):
                methods = frozenset(re.findall(rf"\b{name}\.(fullmatch|match|search|findall|finditer|sub)\b", source))
                yield f"{module.__name__}.{name}", Use(value, methods)


USES = dict(uses())


def texts(units: list[str], length: int) -> Iterator[str]:
    for unit in units:
        for end in ENDS:
            yield (unit * (length // len(unit) + 1))[:length] + end


def seconds(work: Callable[[], object], tries: int) -> float:
    """The least processor time of several tries."""
    times = []
    for _ in range(tries):
        started = time.thread_time()
        work()
        times.append(time.thread_time() - started)
    return min(times)


def slow_text(work: Callable[[str], object], units: list[str]) -> str | None:
    """A text whose time grows faster than its length."""
    pairs = zip(texts(units, LENGTH), texts(units, LENGTH * FACTOR), strict=True)
    return next((f"{short[:12]!r}... {short[-1:]!r}" for short, long in pairs if _is_slow(work, short, long)), None)


def _is_slow(work: Callable[[str], object], short: str, long: str) -> bool:
    for tries in (1, 3, 9):
        least = max(seconds(lambda: work(short), tries), LEAST_SECONDS)
        if seconds(lambda: work(long), tries) <= MAX_RATIO * least:
            return False
    return True


def _units(use: Use) -> list[str]:
    """The general units, and what the expression itself speaks of."""
    source = use.pattern.pattern
    words = re.findall(r"[A-Za-z]{2,}[_=/-]?", source if isinstance(source, str) else source.decode("latin-1"))
    return list(dict.fromkeys([*UNITS, *words, *(word + end for word in words for end in " ;")]))


@pytest.mark.parametrize("name", USES)
def test_regular_expression_is_linear(name: str) -> None:
    assert slow_text(USES[name].apply, _units(USES[name])) is None


def test_regular_expressions_are_found() -> None:
    assert {"web.redaction._SECRET", "web.http.request_checks._HOST", "mock.preferences._PREFERENCE"} <= set(USES)
    assert not (unused := [name for name, use in USES.items() if not use.methods]), f"not used by their names: {unused}"


@pytest.mark.parametrize("source", [r"eyJ[0-9A-Za-z_-]+\.[0-9A-Za-z_-]+", r"[a-z]+,", r" +;"])
def test_slow_expression_is_noticed(source: str) -> None:
    use = Use(re.compile(source), frozenset(["findall"]))
    assert slow_text(use.apply, _units(use)) is not None


def _scope(name: str, value: str) -> dict[str, Any]:
    headers = [(name.encode(), value.encode("latin-1", "replace"))]
    return {"client": ("127.0.0.1", 1), "headers": headers}


def _context(name: str, value: str) -> RequestContext:
    scope = _scope(name, value) | {"method": "GET", "path": "/", "query_string": b""}
    return RequestContext(scope, Contract(DOCUMENT), DefaultHeaders(DOCUMENT))


def _in_body(raw: str) -> object:
    return strict_json.parse(raw.encode())


PROXIES = TrustedProxies(["127.0.0.0/8", "1.1.1.1"])
ROUTER = Router([])
VERIFIER = JWTVerifier("a shared secret of 32 bytes or more")
CATALOG = ErrorCatalog(DOCUMENT)
BODIES = {o.id: Validator(o.body["schema"], DOCUMENT) for o in operations(DOCUMENT) if o.body is not None}


def _failure(text: str) -> Failure:
    return MalformedRequest("a", field=text)


def _violations(validator: Validator, text: str) -> object:
    return list(validator.violations({"name": text, text: text, "ordered_track_ids": [text] * 9}))


READERS: dict[str, Callable[[str], object]] = {
    "redaction": redact,
    "names repeated in errors": sanitize,
    "JSON text": _in_body,
    "JSON string": lambda text: _in_body(json.dumps({"name": text})),
    "JSON name": lambda text: _in_body(json.dumps({text: 1})),
    "JSON array": lambda text: _in_body(f"[{text[: len(text) // 8 * 8]}1]"),
    "query": lambda text: list(parse_query(text.encode())),
    "query, percent-encoded": lambda text: list(parse_query(("a=" + text).encode("latin-1", "replace"))),
    "path": lambda text: ROUTER.find("GET", text.encode()),
    "target": lambda text: request_checks.normalize_target(b"GET", text.encode()),
    "X-Forwarded-For": lambda text: PROXIES.client_address(_scope("x-forwarded-for", text)),
    "Forwarded": lambda text: PROXIES.client_address(_scope("forwarded", text)),
    "Forwarded, quoted": lambda text: PROXIES.client_address(_scope("forwarded", f'for="{text}')),
    "Accept": lambda text: request_checks.accepts(_context("accept", text), ["a/b"]),
    "If-None-Match": lambda text: preconditions.is_known(text, '"1"'),
    "If-Match": preconditions.expected_version,
    "Prefer of the mock": lambda text: read_preferences([(b"prefer", text.encode("latin-1", "replace"))]),
    "token": VERIFIER.verify,
    "token's claims": lambda text: VERIFIER.verify(f"eyJhbGciOiJIUzI1NiJ9.{text}.{text}"),
    "error details": lambda text: CATALOG.to_response(_failure(text), "req_1"),
    "request id": lambda text: CATALOG.to_response(Invalid([]), text),
    **{f"body of {name}": partial(_violations, validator) for name, validator in BODIES.items()},
}


@pytest.mark.parametrize("name", READERS)
def test_reader_of_request_input_is_linear(name: str) -> None:
    def work(text: str) -> None:
        with contextlib.suppress(Failure):
            READERS[name](text)

    assert slow_text(work, UNITS) is None


# Bodies of 1 MiB of one piece, and the calls that reading them may need: few per body, or few per allowed value.
PIECES = [
    "1,", "1.5,", '"",', '":",', '"\\"",', '"a\\\\",', "[],", "{},", "[", '{"":', '"":0,', '":":"",', '{"":0},', "[1],",
    " ", "11111111111111111111", '"11111111111111111111",', '"[","{",', "\\", "\xe9", '"\\u00e9",', '\\":',
]  # fmt: skip
MAX_CALLS = 100_000


@pytest.mark.parametrize("piece", PIECES)
@pytest.mark.parametrize(
    "frame", ["[{}1]", '{{"name": "a", "ordered_track_ids": [{}1]}}', '{{"name": "{}"}}', "{{{}}}"]
)
def test_body_of_one_mebibyte_needs_few_calls(piece: str, frame: str) -> None:
    raw = frame.format(piece * ((MAX_BODY_BYTES - 80) // len(piece.encode()))).encode()

    def read() -> None:
        with contextlib.suppress(Failure):
            value = strict_json.parse(raw)
            for validator in BODIES.values():
                list(validator.violations(value))

    assert _calls(read) <= MAX_CALLS


def _calls(work: Callable[[], None]) -> int:
    """The number of calls of functions, also of those in C."""
    count = 0

    def on_event(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(on_event)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count
