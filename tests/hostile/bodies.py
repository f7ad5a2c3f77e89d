"""Malformed bodies: media types, invalid JSON (RFC 8259, RFC 7493), and JSON that violates the schemas."""

import gzip
import json
import zlib
from typing import Any

from tools.testing.cases import (
    COLLECTION,
    CREATED,
    INVALID,
    LIST,
    MALFORMED,
    MARK,
    NO_CONTENT,
    NOT_FOUND,
    OK,
    ONE,
    ORDER,
    TRACK,
    TRACKS,
    UNSUPPORTED,
    Case,
    Outcome,
    case,
    patch,
    post,
    shown,
)

_GOOD = b'{"name": "Test"}'
_UNCLOSED = [b"{", b"[", b'"', b'{"name"', b'{"name":', b'{"name": "a"', b'{"name": "a",', b"[1,"]


def _typed(value: bytes, outcome: Outcome = UNSUPPORTED, body: bytes = _GOOD, *fields: bytes) -> Case:
    return case(f"Content-Type: {shown(value)}", outcome, post(body, *fields, content_type=b"Content-Type: " + value))


def _encoded(value: bytes, body: bytes = _GOOD) -> Case:
    return case(f"Content-Encoding: {shown(value)}", UNSUPPORTED, post(body, b"Content-Encoding: " + value))


MEDIA_TYPES = [
    *(
        _typed(value)
        for value in (
            b"", b"text/plain", b"text/json", b"text/html", b"application/xml", b"application/x-www-form-urlencoded",
            b"multipart/form-data; boundary=x", b"application/octet-stream",
            b"application/merge-patch+json", b"application/Merge-Patch+json", b"application/json-patch+json",
            b"application/vnd.api+json", b"application/problem+json", b"application/json5", b"application/jsonl",
            b"application/x-json", b"application/*", b"*/*", b"json", b"application", b"application/", b"/json",
            b"application/json/x", b"application/json text/plain", b"application/json, text/plain",
            b"application /json", b"application/ json", b"application/json;charset", b"application/json;charset=",
            b"application/json; charset=utf-16", b"application/json;charset=utf-7", b"application/json;charset=latin-1",
            b"application/json;charset=hex", b"application/json;charset=rot13", b"application/json;charset=punycode",
            b"application/json;charset=idna", b"application/json;charset=../../x", b"application/json;charset=unknown",
            b"application/json;charset='utf-8'", b"application/json;charset=\"utf-8", b"application/json;charset=utf8",
            b"application/json;charset=utf-8;charset=utf-16", b"application/json;version=2",
            b"application/json;a=b;c=d",
            b"application/json\x80", b"\xe9pplication/json", b"application/json;" + MARK, b"a" * 20_000,
            b"application/json" + b";" * 5000, b"application/json" + b" " * 5000 + b"x",
        )
    ),
    *(
        _typed(value, CREATED)
        for value in (b"Application/JSON", b"APPLICATION/JSON", b"application/json;charset=utf-8",
        b"application/json; charset=UTF-8", b'application/json; charset="utf-8"', b"application/json ; charset=utf-8",
        b"application/json; CHARSET=utf-8")
    ),
    case("no Content-Type", UNSUPPORTED, post(_GOOD, content_type=b"")),
    case("two Content-Types", MALFORMED.closing(), post(_GOOD, b"Content-Type: application/json")),
    case("two Content-Types that differ", MALFORMED.closing(), post(_GOOD, b"Content-Type: text/plain")),
    case("Content_Type", MALFORMED, post(_GOOD, b"Content_Type: text/plain")),
    case("another type on a PATCH", UNSUPPORTED, post(b"{}", to=ONE, method=b"PATCH",
        content_type=b"Content-Type: application/json-patch+json")),
    case("a merge patch on an order", UNSUPPORTED, post(b"{}", to=ORDER, method=b"PATCH",
        content_type=b"Content-Type: application/merge-patch+json")),
    case("a merge patch in another character set", UNSUPPORTED, post(b"{}", to=ONE, method=b"PATCH",
        content_type=b"Content-Type: application/merge-patch+json; charset=utf-16")),
    case("invalid JSON as a merge patch", MALFORMED, post(b"{", to=ONE, method=b"PATCH",
        content_type=b"Content-Type: application/merge-patch+json")),
    case("another type on an addition", UNSUPPORTED, post(b"{}", to=TRACKS, content_type=b"Content-Type: text/plain")),
    case("another type on an order", UNSUPPORTED, post(b"{}", to=ORDER, method=b"PATCH",
        content_type=b"Content-Type: text/plain")),
    case("another type on nothing at all", INVALID, post(b"", content_type=b"Content-Type: text/plain")),
    case("a name hidden from the validator by UTF-7", UNSUPPORTED, post(b"+AHsAIgBuAGEAbQBlACIAOgAiAGEAIgB9-",
        content_type=b"Content-Type: application/json;charset=utf-7")),
    case("a form that would be JSON", UNSUPPORTED, post(b"name=Test",
        content_type=b"Content-Type: application/x-www-form-urlencoded")),
    *(_encoded(value) for value in (b"", b"x", b"br", b"gzip, gzip", b"identity, gzip", b"aes128gcm", b"gzip;q=1")),
    _encoded(b"gzip", gzip.compress(_GOOD)),
    _encoded(b"deflate", zlib.compress(_GOOD)),
    case("a bomb of gzip", UNSUPPORTED, post(gzip.compress(b" " * 100_000_000), b"Content-Encoding: gzip")),
    case("Content-Encoding: identity", CREATED, post(_GOOD, b"Content-Encoding: identity")),
    case("Content-Encoding twice", MALFORMED.closing(), post(_GOOD, b"Content-Encoding: identity",
        b"Content-Encoding: gzip")),
    case("OPTIONS has no media type to be wrong", NO_CONTENT, post(_GOOD, method=b"OPTIONS",
        content_type=b"Content-Type: text/plain")),
    case("DELETE ignores the type of its body", NOT_FOUND, post(_GOOD, to=LIST + b"/mcoll_000000000000",
        method=b"DELETE", content_type=b"Content-Type: text/plain")),
]  # fmt: skip


def _no_json(title: str, body: bytes) -> Case:
    return case(title, MALFORMED, post(body))


def _nested(depth: int, opening: bytes = b"[", closing: bytes = b"]") -> bytes:
    return opening * depth + closing * depth


JSON_TEXTS = [
    case("no byte", INVALID, post(b"")),
    *(_no_json(f"{shown(body)} is not closed", body) for body in _UNCLOSED),
    *(
        _no_json(f"{shown(body)} is no JSON", body)
        for body in (
            b" ", b"\n\n", b"hello", MARK, b"name=Test", b"<a/>", b"undefined", b"None", b"True", b"NULL", b"nul",
            b"'a'", b"{'name': 'a'}", b"{name: \"a\"}", b'{"name": "a",}', b"[1,]", b"[,]", b"{,}", b'{"name" "a"}',
            b'{"name": "a"} x',
            b'{"name": "a"}{"name": "b"}', b'{"name": "a"}\0', b'{"name": "a"}]', b"// a\n{}", b"/* a */ {}", b"# a",
            b"{} // a", b"\xef\xbb\xbf{}", b"\x0b{}", b"\xc2\xa0{}", b"\xe2\x80\xa8{}", b'{"a": 01}', b'{"a": +1}',
            b'{"a": .5}', b'{"a": 1.}', b'{"a": 1e}',
            b'{"a": 0x1}', b'{"a": 1_0}', b'{"a": --1}', b'{"a": -}', b'{"a": NaN}', b'{"a": -NaN}',
            b'{"a": Infinity}', b'{"a": -Infinity}', b'{"a": 1e400}', b'{"a": -1e400}', b'{"a": "\t"}', b'{"a": "\n"}',
            b'{"a": "\0"}', b'{"a": "\x1f"}', b'{"a": "\\x41"}', b'{"a": "\\u12"}',
            b'{"a": "\\u{41}"}', b'{"a": "\\"}', b'{"a": "\\ "}', b"{1: 2}", b"{null: 2}", b'{"a":}', b'{:"a"}',
            b'{"a"::1}', b'[1 2]', b"-", b"}", b"]", b":", b",",
        )
    ),
    _no_json("bytes that are no UTF-8", b'{"name": "\xff\xfe"}'),
    _no_json("Latin-1", '{"name": "é"}'.encode("latin-1")),
    _no_json("UTF-16", '{"name": "a"}'.encode("utf-16")),
    _no_json("UTF-16 without a mark", '{"name": "a"}'.encode("utf-16-le")),
    _no_json("UTF-32", '{"name": "a"}'.encode("utf-32")),
    _no_json("an overlong slash", b'{"name": "\xc0\xaf"}'),
    _no_json("an overlong zero", b'{"name": "\xc0\x80"}'),
    _no_json("a surrogate in UTF-8", b'{"name": "\xed\xa0\x80"}'),
    _no_json("a code point beyond Unicode", b'{"name": "\xf4\x90\x80\x80"}'),
    _no_json("a character that breaks off", b'{"name": "\xf0\x9f\x8e'),
    _no_json("a compressed body that does not say so", gzip.compress(_GOOD)),
    _no_json("a high surrogate alone", b'{"name": "\\ud800"}'),
    _no_json("a low surrogate alone", b'{"name": "\\udc00"}'),
    _no_json("surrogates the wrong way round", b'{"name": "\\udc00\\ud800"}'),
    _no_json("a surrogate alone in a field's name", b'{"\\ud800": 1, "name": "a"}'),
    _no_json("a name twice", b'{"name": "a", "name": "b"}'),
    _no_json("a name twice, once in escapes", b'{"name": "a", "\\u006eame": "b"}'),
    _no_json("a name twice, and equal values", b'{"name": "a", "name": "a"}'),
    _no_json("an unknown name twice", b'{"name": "a", "x": 1, "x": 1}'),
    _no_json("a name twice, further in", b'{"name": {"a": 1, "a": 2}}'),
    _no_json("an empty name twice", b'{"": 1, "": 2}'),
    _no_json("33 arrays in one another", _nested(33)),
    _no_json("33 objects in one another", b'{"a":' * 33 + b"1" + b"}" * 33),
    _no_json("10,000 arrays in one another", _nested(10_000)),
    _no_json("500,000 arrays in one another", _nested(500_000)),
    _no_json("1,000,000 arrays that are not closed", b"[" * 1_000_000),
    _no_json("100,000 objects that are not closed", b'{"a":' * 100_000),
    _no_json("nesting behind a long text", b'["' + b"a" * 500_000 + b'",' + _nested(40) + b"]"),
    _no_json("nesting behind quotes in quotes", b'["\\"",' + _nested(40) + b',"\\\\"]'),
    _no_json("a whole number of 20 digits", b'{"name": 12345678901234567890}'),
    _no_json("a whole number of 4,301 digits", b'{"name": ' + b"1" * 4301 + b"}"),
    _no_json("a number of a million digits", b"1" * 1_000_000),
    _no_json("a negative number of 20 digits", b'{"name": -12345678901234567890}'),
    _no_json("1e999999999", b'{"name": 1e999999999}'),
    _no_json("1 MiB of quotes", b'"' * 1_000_000),
    _no_json("1 MiB of backslashes", b'"' + b"\\" * 1_000_001),
    _no_json("1 MiB of blanks", b" " * 1_000_000),
    _no_json("1 MiB of commas", b"," * 1_000_000),
    case("32 arrays in one another", INVALID, post(_nested(32))),
    case("40 brackets in a text", CREATED, post(b'{"name": "' + b"[" * 40 + b'"}')),
    case("colons and quotes in a text", CREATED, post(b'{"name": "\\": \\"a\\": {\\"a\\": 1, \\"a\\": 2}"}')),
    case("a number of 30 digits in a text", CREATED, post(b'{"name": "123456789012345678901234567890"}')),
    case("19 digits", INVALID, post(b'{"name": 9223372036854775807}')),
    case("a pair of surrogates", CREATED, post(b'{"name": "\\ud83c\\udfb5"}')),
    case("blanks around everything", CREATED, post(b' \t\r\n{ "name" \n:\t"a" } \n')),
    *(case(f"{shown(body)} is JSON but no object", INVALID, post(body)) for body in (b"null", b"true", b"0", b"-0",
        b"1e5", b'"a"', b'""', b"[]", b'[{"name": "a"}]', b"1.5")),
]  # fmt: skip


def _title(value: Any) -> str:
    """The value as a case title shows it."""
    text = ascii(value)
    return text if len(text) <= 40 else f"{text[:24]}... of {len(value)}"


def _field(title: str, outcome: Outcome, **fields: Any) -> Case:
    return case(title, outcome, post(json.dumps({"name": "a"} | fields).encode()))


def _many(count: int) -> bytes:
    return json.dumps([f"mtrack_{number:012x}" for number in range(count)]).encode()


def _order(title: str, outcome: Outcome, ids: bytes) -> Case:
    return case(title, outcome, patch(b'{"ordered_track_ids": ' + ids + b"}", to=ORDER))


_BAD_NAMES = ["", " ", "\u00a0", "\u3000", "\u2028", "\ufeff", "\u200a \u205f", "\0", "a\0b", "a\nb", "\t", "a\tb",
    "\x7f", "a\x85b", "\x1b[31mred", "\x01", "a" * 513, "\U0001f3b5" * 513, " " * 512,
    "a\r\nSet-Cookie: b"]  # fmt: skip
_GOOD_NAMES = ["a" * 512, "\U0001f3b5" * 512, " a ", "\u202eright to left", "e\u0301", "\u200b", "\ufffd", "\uffff",
    "<script>", "' OR 1=1 --", "{{7*7}}", "%s%n", "../../x", "a'; DROP TABLE collections;--", "\ufdd0", "\U0010ffff",
    "I\u0307"]  # fmt: skip
_BAD_URLS = ["", "x", "http://", "https:// a", "ftp://a/b", "javascript:alert(1)", "data:text/html,x", "//a/b",
    "file:///etc/passwd", "http:/a", "http:a", "HTTP://a", "https://a\nb", "https://a b", "https://é.example/",
    "https://a/\0", "https://a/\u202e", "https://" + "a" * 1017, " https://a", "https://a\n", "https:///a",
    "https://[::1]/"]  # fmt: skip
_BAD_TRACKS = ["", "x", "mtrack_", "mtrack_00000000000", "mtrack_0000000000000", "mtrack_00000000000G",
    "MTRACK_000000000000", "mcoll_000000000000", "mtrack_000000000000\n", "mtrack_00000000000\u0660",
    "mtrack_000000000000 "]  # fmt: skip
_NO_TEXTS: list[Any] = [None, 0, 1.5, True, [], {}, ["a"], {"a": "b"}]
_BAD_DESCRIPTIONS: list[Any] = ["\0", "a\0b", "a" * 4097, "\U0001f3b5" * 4097, 1, False, [], {}]
_GOOD_DESCRIPTIONS = ["", "a\n\tb", "a" * 4096, "\U0001f3b5" * 4096, None, "\x01\x1f\x7f", "\ufffe"]
_GOOD_URLS = ["http://a", "https://a.example/b?c=d", "https://" + "a" * 1016, "http://169.254.169.254/latest"]
_NO_TRACK = "mtrack_000000000000"
_NO_COVERS: list[Any] = [*_BAD_TRACKS, _NO_TRACK, 1, [], True]
_NO_ADDITIONS: list[Any] = [*_BAD_TRACKS, None, 1, [], {}, [_NO_TRACK]]
_UNKNOWN = [
    "x", "", "Name", "NAME", "name ", "id", "owner_id", "track_count", "version", "created_at", "organization_id",
    "__proto__", "constructor", "\0", "a\nb", "\u202e", "a/b~c", "$ref", MARK.decode() * 400,
]  # fmt: skip


def _addition(track: Any) -> Case:
    return case(f"to add the track {_title(track)}", INVALID, post(json.dumps({"track_id": track}).encode(), to=TRACKS))


VALUES = [
    case("no field", INVALID, post(b"{}")),
    *(_field(f"the name {_title(name)}", INVALID, name=name) for name in _BAD_NAMES),
    *(_field(f"the name {_title(name)}", CREATED, name=name) for name in _GOOD_NAMES),
    *(_field(f"the name {_title(value)}", INVALID, name=value) for value in _NO_TEXTS),
    *(_field(f"the description {_title(value)}", INVALID, description=value) for value in _BAD_DESCRIPTIONS),
    *(_field(f"the description {_title(value)}", CREATED, description=value) for value in _GOOD_DESCRIPTIONS),
    *(_field(f"the address {_title(url)}", INVALID, cover_image_url=url) for url in _BAD_URLS),
    *(_field(f"the address {_title(url)}", CREATED, cover_image_url=url) for url in _GOOD_URLS),
    *(_field(f"the cover {_title(value)}", INVALID, cover_track_id=value) for value in _NO_COVERS),
    *(_field(f"the unknown field {_title(name)}", INVALID, **{name: 1}) for name in _UNKNOWN),
    case("100 unknown fields", INVALID, post(json.dumps({f"x{n}": n for n in range(100)}).encode())),
    case("9,000 unknown fields", INVALID, post(json.dumps({f"x{n}": n for n in range(9_000)}).encode())),
    case("60,000 unknown fields", MALFORMED, post(json.dumps({f"x{n}": n for n in range(60_000)}).encode())),
    case("an unknown field of 1 MiB", INVALID, post(json.dumps({"x": "a" * 1_000_000}).encode())),
    case("an unknown field's name of 1 MiB", INVALID, post(json.dumps({"a" * 1_000_000: 1}).encode())),
    case("a name of 1 MiB", INVALID, post(json.dumps({"name": "a" * 1_000_000}).encode())),
    case("a name of 1 MiB of blanks", INVALID, post(json.dumps({"name": " " * 1_000_000}).encode())),
    case("a name of 511 blanks and a control character", INVALID,
        post(json.dumps({"name": " " * 511 + "\x01"}).encode())),
    case("a name that is an array of 250,000", MALFORMED, post(b'{"name": [' + b"1, " * 250_000 + b"1]}")),
    case("an array of 300,000 objects", MALFORMED, post(b"[" + b"{}," * 300_000 + b"{}]")),
    case("an array of 100,000 objects with names", MALFORMED, post(b"[" + b'{"a":1},' * 100_000 + b"{}]")),
    case("an empty change", OK, patch(b"{}")),
    case("a change of an unknown field", INVALID, patch(b'{"track_count": 7}')),
    case("a change of the id", INVALID, patch(b'{"id": "mcoll_000000000000"}')),
    case("a name may not be taken away", INVALID, patch(b'{"name": null}')),
    case("a change to a cover that is not there", INVALID, patch(b'{"cover_track_id": "mtrack_000000000000"}')),
    case("a change as a patch of RFC 6902", INVALID, patch(b'[{"op": "remove", "path": "/name"}]')),
    *(_addition(track) for track in _NO_ADDITIONS),
    case("to add nothing", INVALID, post(b"{}", to=TRACKS)),
    case("to add two fields", INVALID, post(b'{"track_id": "' + TRACK + b'", "position": 0}', to=TRACKS)),
    case("to add a track that is not there", NOT_FOUND, post(b'{"track_id": "mtrack_000000000000"}', to=TRACKS)),
    case("to add to what is not there", NOT_FOUND, post(b'{"track_id": "' + TRACK + b'"}',
        to=LIST + b"/mcoll_000000000000/tracks")),
    _order("an order of nothing", OK, b"[]"),
    _order("an order of unknown tracks", OK, b'["mtrack_000000000000"]'),
    _order("an order that is null", INVALID, b"null"),
    _order("an order that is a text", INVALID, b'"' + TRACK + b'"'),
    _order("an order that is an object", INVALID, b'{"0": "' + TRACK + b'"}'),
    _order("an order of numbers", INVALID, b"[1, 2]"),
    _order("an order of nulls", INVALID, b"[null]"),
    _order("an order of arrays", INVALID, b'[["' + TRACK + b'"]]'),
    _order("an order of malformed ids", INVALID, b'["x", "y"]'),
    _order("an order with a track twice", INVALID, b'["' + TRACK + b'", "' + TRACK + b'"]'),
    _order("an order with an unknown track twice", INVALID, b'["mtrack_000000000000", "mtrack_000000000000"]'),
    _order("an order of 10,000", OK, _many(10_000)),
    _order("an order of 10,001", INVALID, _many(10_001)),
    _order("an order of 40,000", INVALID, _many(40_000)),
    _order("an order of 50,000 numbers", INVALID, b"[" + b"1," * 49_999 + b"1]"),
    _order("an order of 50,001 numbers", MALFORMED, b"[" + b"1," * 50_000 + b"1]"),
    _order("an order of 300,000 numbers", MALFORMED, b"[" + b"1," * 300_000 + b"1]"),
    _order("an order of 40,000 objects", MALFORMED, b"[" + b",".join(b'{"a": %d}' % n for n in range(40_000)) + b"]"),
    _order("an order of 100,000 empty texts", MALFORMED, b"[" + b'"",' * 100_000 + b'""]'),
    _order("an order of 10,000 malformed ids", INVALID, json.dumps([f"x{n}" for n in range(10_000)]).encode()),
    case("an order without its field", INVALID, patch(b"{}", to=ORDER)),
    case("an order with another field", INVALID,
        patch(b'{"ordered_track_ids": [], "collection_id": "' + COLLECTION + b'"}', to=ORDER)),
]  # fmt: skip
