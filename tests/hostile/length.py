"""Message length: Content-Length, Transfer-Encoding, chunks, size limits and Expect (RFC 9112 sections 6 and 7)."""

from tools.testing.cases import (
    AS_ALICE,
    AWAIT,
    BROKEN,
    CHUNKED,
    HALF_CLOSE,
    HANGS_UP,
    HEAVY_HEAD,
    INVALID,
    JSON,
    LIST,
    LIVE,
    MADE,
    MALFORMED,
    MARK,
    NOBODY,
    NOWHERE,
    OK,
    ONE,
    TOO_LARGE,
    UNSUPPORTED,
    case,
    chunked,
    chunks,
    get,
    head,
    mine,
    post,
    shown,
)

_BODY = b'{"name": "Test"}'
_MIB = 1024 * 1024
_SECOND = get(b"/v1/smuggled")


def _long(*fields: bytes, content: bytes = _BODY, method: bytes = b"POST", to: bytes = LIST) -> bytes:
    return head(method, to, AS_ALICE, JSON, *fields) + content


def _stated(value: bytes, content: bytes = _BODY) -> bytes:
    return _long(b"Content-Length: " + value, content=content)


def _coded(value: bytes, content: bytes = chunks(_BODY)) -> bytes:
    return _long(b"Transfer-Encoding: " + value, content=content)


def _padded(size: int) -> bytes:
    """A valid body of so many bytes."""
    return _BODY + b" " * (size - len(_BODY))


CASES = [
    # Content-Length.
    *(
        case(f"Content-Length: {shown(value)}", BROKEN, _stated(value))
        for value in (
            b"+16",
            b"-16",
            b"-0",
            b"0x10",
            b"1e1",
            b"16.0",
            b"16,16",
            b"16, 16",
            b"16 16",
            b"16;",
            b"",
            b"sixteen",
            b"\xb9\xb6",
            b"9" * 24,
            b"18446744073709551632",
        )
    ),
    case("Content-Length: 016", MADE, _stated(b"016")),
    case("Content-Length: 00 and nothing", INVALID, _stated(b"00", b"")),
    case("two equal lengths", BROKEN, _long(b"Content-Length: 16", b"Content-Length: 16")),
    case("two different lengths", BROKEN, _long(b"Content-Length: 16", b"Content-Length: 2")),
    case("two lengths of nothing", BROKEN, get(LIVE, b"Content-Length: 0", b"Content-Length: 0")),
    case("shorter than said, and then silence for good", HANGS_UP, _stated(b"400"), HALF_CLOSE),
    case("longer than said: the rest is the next request", BROKEN, _stated(b"16") + b"{}garbage", before=(201,)),
    case("longer than said: the rest is a whole request", NOWHERE, _stated(b"16") + _SECOND, before=(201,)),
    case("a GET with a body, which is ignored", OK, _long(b"Content-Length: 16", method=b"GET")),
    case(
        "a GET with a body: the rest is a request of its own",
        NOWHERE,
        _long(b"Content-Length: 16", method=b"GET", content=_BODY + _SECOND),
        before=(200,),
    ),
    case("a HEAD with a body, which is ignored", OK, _long(b"Content-Length: 16", method=b"HEAD")),
    case("a body for an operation without one", OK, head(b"GET", LIVE, b"Content-Length: 4") + MARK[:4]),
    case(
        "a DELETE with a body, which is ignored",
        NOWHERE,
        _long(b"Content-Length: 16", method=b"DELETE", to=ONE + b"/none"),
    ),
    case("no length and no body", INVALID, _long(content=b"")),
    case("no length, and a body that must be the next request", BROKEN, _long(), before=(422,)),
    # Both, and Transfer-Encoding.
    case("length and coding", BROKEN, _long(b"Content-Length: 16", CHUNKED, content=chunks(_BODY))),
    case("coding and length", BROKEN, _long(CHUNKED, b"Content-Length: 16", content=chunks(_BODY))),
    case(
        "length and coding, a second request inside",
        BROKEN,
        _long(b"Content-Length: 5", CHUNKED, content=b"0\r\n\r\n" + _SECOND),
    ),
    case("length of nothing and coding", BROKEN, _long(b"Content-Length: 0", CHUNKED, content=chunks(_BODY))),
    case("length and an unknown coding", BROKEN, _long(b"Content-Length: 16", b"Transfer-Encoding: xchunked")),
    *(
        case(f"Transfer-Encoding: {shown(value)}", BROKEN, _coded(value))
        for value in (
            b"",
            b"identity",
            b"gzip",
            b"gzip, chunked",
            b"chunked, gzip",
            b"chunked, chunked",
            b"chunked, identity",
            b"xchunked",
            b"chunkedx",
            b"'chunked'",
            b'"chunked"',
            b"chunked;q=1",
            b",chunked",
            b"chunked,",
            b"\x0bchunked",
            b"chunk\xe9d",
            b"chun ked",
        )
    ),
    case("Transfer-Encoding: CHUNKED", MADE, _coded(b"CHUNKED")),
    case("Transfer-Encoding behind a tab", MADE, _long(b"Transfer-Encoding:\tchunked", content=chunks(_BODY))),
    case("Transfer-Encoding twice", BROKEN, _long(CHUNKED, CHUNKED, content=chunks(_BODY))),
    case(
        "Transfer-Encoding twice, the second identity",
        BROKEN,
        _long(CHUNKED, b"Transfer-Encoding: identity", content=chunks(_BODY)),
    ),
    case(
        "Transfer-Encoding twice, the first identity",
        BROKEN,
        _long(b"Transfer-Encoding: identity", CHUNKED, content=chunks(_BODY)),
    ),
    case(
        "Transfer-Encoding by HTTP/1.0",
        BROKEN,
        head(b"POST", LIST, AS_ALICE, JSON, CHUNKED, version=b"HTTP/1.0") + chunks(_BODY),
    ),
    case("Transfer_Encoding", MALFORMED, get(LIVE, b"Transfer_Encoding: chunked")),
    case("Content_Length", MALFORMED, get(LIVE, b"Content_Length: 0")),
    # Chunks.
    case("one chunk", MADE, chunked(chunks(_BODY))),
    case("chunks of one byte", MADE, chunked(chunks(*(bytes([byte]) for byte in _BODY)))),
    case("chunks, each in a packet of its own", MADE, chunked(b""), b"10\r\n", _BODY, b"\r\n", b"0\r\n", b"\r\n"),
    case("no chunk but the last", INVALID, chunked(b"0\r\n\r\n")),
    case("zeros before the size", MADE, chunked(b"0010\r\n" + _BODY + b"\r\n000\r\n\r\n")),
    case("an extension", MADE, chunked(b"10;a=b\r\n" + _BODY + b"\r\n0\r\n\r\n")),
    case("an extension in quotes", MADE, chunked(b'10;a="b c"\r\n' + _BODY + b"\r\n0\r\n\r\n")),
    case("an extension with a line feed", BROKEN, chunked(b"10;a\nb\r\n" + _BODY + b"\r\n0\r\n\r\n")),
    case("an extension with a zero byte", BROKEN, chunked(b"10;a\0\r\n" + _BODY + b"\r\n0\r\n\r\n")),
    *(
        case(f"a chunk of size {shown(size)}", BROKEN, chunked(size + b"\r\n" + _BODY + b"\r\n0\r\n\r\n"))
        for size in (
            b"",
            b"g",
            b"-10",
            b"+10",
            b"0x10",
            b"10 ",
            b" 10",
            b"1_0",
            b"10h",
            b"\xb9",
            b"F" * 17,
            b"1" + b"0" * 16,
        )
    ),
    case("a chunk whose size ends with a line feed", BROKEN, chunked(b"10\n" + _BODY + b"\r\n0\r\n\r\n")),
    case("a chunk that ends with a line feed", BROKEN, chunked(b"10\r\n" + _BODY + b"\n0\r\n\r\n")),
    case("a chunk longer than its size", BROKEN, chunked(b"f\r\n" + _BODY + b"\r\n0\r\n\r\n")),
    case("a chunk shorter than its size", BROKEN, chunked(b"11\r\n" + _BODY + b"\r\n0\r\n\r\n")),
    case("chunks without an end", HANGS_UP, chunked(chunks(_BODY)[:-5]), HALF_CLOSE),
    case("chunks that break off in the middle", HANGS_UP, chunked(b"ff\r\n" + _BODY), HALF_CLOSE),
    case("garbage after a good chunk, later", BROKEN, chunked(chunks(_BODY)[:-5]), b"zz\r\n"),
    case("a request between chunk and end", BROKEN, chunked(chunks(_BODY)[:-5] + _SECOND)),
    case("a trailer", MADE, chunked(chunks(_BODY)[:-2] + b"X-Sum: 1\r\n\r\n")),
    case(
        "a credential in the trailer is none",
        NOBODY,
        head(b"POST", LIST, JSON, CHUNKED) + chunks(_BODY)[:-2] + AS_ALICE + b"\r\n\r\n",
    ),
    case(
        "a second credential in the trailer is none",
        MADE,
        chunked(chunks(_BODY)[:-2] + b"X-API-Key: " + MARK + b"\r\n\r\n"),
    ),
    case(
        "a media type in the trailer is none", MADE, chunked(chunks(_BODY)[:-2] + b"Content-Type: text/plain\r\n\r\n")
    ),
    case("a length in the trailer", BROKEN, chunked(chunks(_BODY)[:-2] + b"Content-Length: 5\r\n\r\n")),
    case("a coding in the trailer", BROKEN, chunked(chunks(_BODY)[:-2] + CHUNKED + b"\r\n\r\n")),
    case("101 trailer fields", HEAVY_HEAD, chunked(chunks(_BODY)[:-2] + b"X-A: a\r\n" * 101 + b"\r\n")),
    case("a trailer of 33 KiB", HEAVY_HEAD, chunked(chunks(_BODY)[:-2] + b"X-A: " + b"a" * 33 * 1024 + b"\r\n\r\n")),
    # Too much.
    case("a body of 1 MiB", MADE, post(_padded(_MIB))),
    case("a body of 1 MiB and a byte", TOO_LARGE, post(_padded(_MIB + 1))),
    case("a body of 4 MiB", TOO_LARGE, post(_padded(4 * _MIB))),
    case("2 GiB announced", TOO_LARGE, _stated(b"2147483648")),
    case("8 EiB announced", TOO_LARGE, _stated(b"9223372036854775807")),
    case("2 GiB announced to an operation without a body", TOO_LARGE, mine(LIST, b"Content-Length: 2147483648")),
    case("2 GiB announced to nobody in particular", NOWHERE.closing(), get(b"/v1/none", b"Content-Length: 2147483648")),
    case("2 GiB announced with no key", NOBODY.closing(), head(b"POST", LIST, JSON, b"Content-Length: 2147483648")),
    case(
        "2 GiB announced with a wrong key",
        NOBODY.closing(),
        head(b"POST", LIST, JSON, b"X-API-Key: " + MARK, b"Content-Length: 2147483648"),
    ),
    case("1 MiB in one chunk", MADE, chunked(chunks(_padded(_MIB)))),
    case("1 MiB and a byte in one chunk", TOO_LARGE, chunked(chunks(_padded(_MIB + 1)))),
    case("4 MiB in chunks", TOO_LARGE, chunked(chunks(*[b" " * 65536] * 64))),
    case(
        "4 MiB in chunks with a wrong key",
        NOBODY.closing(),
        head(b"POST", LIST, JSON, CHUNKED, b"X-API-Key: " + MARK),
        AWAIT,
        chunks(*[b" " * 65536] * 4),
    ),
    case("a chunk of 4 GiB announced", TOO_LARGE, chunked(b"FFFFFFFF\r\n" + b" " * (_MIB + 1))),
    # Expect (RFC 9110 section 10.1.1).
    case(
        "100-continue",
        MADE,
        _long(b"Expect: 100-continue", b"Content-Length: 16", content=b""),
        AWAIT,
        _BODY,
        before=(100,),
    ),
    case(
        "100-Continue in capitals",
        MADE,
        _long(b"Expect: 100-CONTINUE", b"Content-Length: 16", content=b""),
        AWAIT,
        _BODY,
        before=(100,),
    ),
    case(
        "100-continue with a wrong key",
        NOBODY.closing(),
        head(b"POST", LIST, JSON, b"X-API-Key: " + MARK, b"Expect: 100-continue", b"Content-Length: 16"),
    ),
    case(
        "100-continue with another media type",
        UNSUPPORTED.closing(),
        head(b"POST", LIST, AS_ALICE, b"Content-Type: text/plain", b"Expect: 100-continue", b"Content-Length: 16"),
    ),
    case(
        "100-continue and too much", TOO_LARGE, _long(b"Expect: 100-continue", b"Content-Length: 1048577", content=b"")
    ),
    case("100-continue without a body", OK, get(LIVE, b"Expect: 100-continue")),
    case(
        "100-continue by HTTP/1.0 is not met",
        MADE.closing(),
        head(b"POST", LIST, AS_ALICE, JSON, b"Expect: 100-continue", b"Content-Length: 16", version=b"HTTP/1.0")
        + _BODY,
    ),
    case("another expectation", MALFORMED, get(LIVE, b"Expect: " + MARK)),
    case("an empty expectation", MALFORMED, get(LIVE, b"Expect:")),
    case("two expectations", BROKEN, get(LIVE, b"Expect: 100-continue", b"Expect: 100-continue")),
    case("two expectations in one", MALFORMED, get(LIVE, b"Expect: 100-continue, 100-continue")),
]
