"""Message length: Content-Length, Transfer-Encoding, chunks, size limits and Expect (RFC 9112 sections 6 and 7)."""

from tools.testing.cases import (
    AS_ALICE,
    AWAIT,
    BAD_REQUEST,
    CHUNKED,
    CREATED,
    HALF_CLOSE,
    HEADERS_TOO_LARGE,
    INVALID,
    JSON,
    LIST,
    LIVE,
    MALFORMED,
    MARK,
    NO_ENDPOINT,
    NO_RESPONSE,
    OK,
    ONE,
    TOO_LARGE,
    UNAUTHENTICATED,
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
        case(f"Content-Length: {shown(value)}", BAD_REQUEST, _stated(value))
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
    case("Content-Length: 016", CREATED, _stated(b"016")),
    case("Content-Length: 00 and nothing", INVALID, _stated(b"00", b"")),
    case("two equal lengths", BAD_REQUEST, _long(b"Content-Length: 16", b"Content-Length: 16")),
    case("two different lengths", BAD_REQUEST, _long(b"Content-Length: 16", b"Content-Length: 2")),
    case("two lengths of nothing", BAD_REQUEST, get(LIVE, b"Content-Length: 0", b"Content-Length: 0")),
    case("shorter than announced, and then no more bytes", NO_RESPONSE, _stated(b"400"), HALF_CLOSE),
    case(
        "longer than announced: the rest is the next request", BAD_REQUEST, _stated(b"16") + b"{}garbage", before=(201,)
    ),
    case("longer than announced: the rest is a whole request", NO_ENDPOINT, _stated(b"16") + _SECOND, before=(201,)),
    case("a GET with a body, which is ignored", OK, _long(b"Content-Length: 16", method=b"GET")),
    case(
        "a GET with a body: the rest is a request of its own",
        NO_ENDPOINT,
        _long(b"Content-Length: 16", method=b"GET", content=_BODY + _SECOND),
        before=(200,),
    ),
    case("a HEAD with a body, which is ignored", OK, _long(b"Content-Length: 16", method=b"HEAD")),
    case("a body for an operation without one", OK, head(b"GET", LIVE, b"Content-Length: 4") + MARK[:4]),
    case(
        "a DELETE with a body, which is ignored",
        NO_ENDPOINT,
        _long(b"Content-Length: 16", method=b"DELETE", to=ONE + b"/none"),
    ),
    case("no length and no body", INVALID, _long(content=b"")),
    case("no length, and a body that must be the next request", BAD_REQUEST, _long(), before=(422,)),
    # Both, and Transfer-Encoding.
    case("length and coding", BAD_REQUEST, _long(b"Content-Length: 16", CHUNKED, content=chunks(_BODY))),
    case("coding and length", BAD_REQUEST, _long(CHUNKED, b"Content-Length: 16", content=chunks(_BODY))),
    case(
        "length and coding, a second request inside",
        BAD_REQUEST,
        _long(b"Content-Length: 5", CHUNKED, content=b"0\r\n\r\n" + _SECOND),
    ),
    case("length of nothing and coding", BAD_REQUEST, _long(b"Content-Length: 0", CHUNKED, content=chunks(_BODY))),
    case("length and an unknown coding", BAD_REQUEST, _long(b"Content-Length: 16", b"Transfer-Encoding: xchunked")),
    *(
        case(f"Transfer-Encoding: {shown(value)}", BAD_REQUEST, _coded(value))
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
    case("Transfer-Encoding: CHUNKED", CREATED, _coded(b"CHUNKED")),
    case("Transfer-Encoding behind a tab", CREATED, _long(b"Transfer-Encoding:\tchunked", content=chunks(_BODY))),
    case("Transfer-Encoding twice", BAD_REQUEST, _long(CHUNKED, CHUNKED, content=chunks(_BODY))),
    case(
        "Transfer-Encoding twice, the second identity",
        BAD_REQUEST,
        _long(CHUNKED, b"Transfer-Encoding: identity", content=chunks(_BODY)),
    ),
    case(
        "Transfer-Encoding twice, the first identity",
        BAD_REQUEST,
        _long(b"Transfer-Encoding: identity", CHUNKED, content=chunks(_BODY)),
    ),
    case(
        "Transfer-Encoding by HTTP/1.0",
        BAD_REQUEST,
        head(b"POST", LIST, AS_ALICE, JSON, CHUNKED, version=b"HTTP/1.0") + chunks(_BODY),
    ),
    case("Transfer_Encoding", MALFORMED, get(LIVE, b"Transfer_Encoding: chunked")),
    case("Content_Length", MALFORMED, get(LIVE, b"Content_Length: 0")),
    # Chunks.
    case("one chunk", CREATED, chunked(chunks(_BODY))),
    case("chunks of one byte", CREATED, chunked(chunks(*(bytes([byte]) for byte in _BODY)))),
    case("chunks, each in a packet of its own", CREATED, chunked(b""), b"10\r\n", _BODY, b"\r\n", b"0\r\n", b"\r\n"),
    case("no chunk but the last", INVALID, chunked(b"0\r\n\r\n")),
    case("zeros before the size", CREATED, chunked(b"0010\r\n" + _BODY + b"\r\n000\r\n\r\n")),
    case("an extension", CREATED, chunked(b"10;a=b\r\n" + _BODY + b"\r\n0\r\n\r\n")),
    case("an extension in quotes", CREATED, chunked(b'10;a="b c"\r\n' + _BODY + b"\r\n0\r\n\r\n")),
    case("an extension with a line feed", BAD_REQUEST, chunked(b"10;a\nb\r\n" + _BODY + b"\r\n0\r\n\r\n")),
    case("an extension with a zero byte", BAD_REQUEST, chunked(b"10;a\0\r\n" + _BODY + b"\r\n0\r\n\r\n")),
    *(
        case(f"a chunk of size {shown(size)}", BAD_REQUEST, chunked(size + b"\r\n" + _BODY + b"\r\n0\r\n\r\n"))
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
    case("a chunk whose size ends with a line feed", BAD_REQUEST, chunked(b"10\n" + _BODY + b"\r\n0\r\n\r\n")),
    case("a chunk that ends with a line feed", BAD_REQUEST, chunked(b"10\r\n" + _BODY + b"\n0\r\n\r\n")),
    case("a chunk longer than its size", BAD_REQUEST, chunked(b"f\r\n" + _BODY + b"\r\n0\r\n\r\n")),
    case("a chunk shorter than its size", BAD_REQUEST, chunked(b"11\r\n" + _BODY + b"\r\n0\r\n\r\n")),
    case("chunks without an end", NO_RESPONSE, chunked(chunks(_BODY)[:-5]), HALF_CLOSE),
    case("chunks that break off in the middle", NO_RESPONSE, chunked(b"ff\r\n" + _BODY), HALF_CLOSE),
    case("garbage after a good chunk, later", BAD_REQUEST, chunked(chunks(_BODY)[:-5]), b"zz\r\n"),
    case("a request between chunk and end", BAD_REQUEST, chunked(chunks(_BODY)[:-5] + _SECOND)),
    case("a trailer", CREATED, chunked(chunks(_BODY)[:-2] + b"X-Sum: 1\r\n\r\n")),
    case(
        "a credential in the trailer is none",
        UNAUTHENTICATED,
        head(b"POST", LIST, JSON, CHUNKED) + chunks(_BODY)[:-2] + AS_ALICE + b"\r\n\r\n",
    ),
    case(
        "a second credential in the trailer is none",
        CREATED,
        chunked(chunks(_BODY)[:-2] + b"X-API-Key: " + MARK + b"\r\n\r\n"),
    ),
    case(
        "a media type in the trailer is none",
        CREATED,
        chunked(chunks(_BODY)[:-2] + b"Content-Type: text/plain\r\n\r\n"),
    ),
    case("a length in the trailer", BAD_REQUEST, chunked(chunks(_BODY)[:-2] + b"Content-Length: 5\r\n\r\n")),
    case("a coding in the trailer", BAD_REQUEST, chunked(chunks(_BODY)[:-2] + CHUNKED + b"\r\n\r\n")),
    case("101 trailer fields", HEADERS_TOO_LARGE, chunked(chunks(_BODY)[:-2] + b"X-A: a\r\n" * 101 + b"\r\n")),
    case(
        "a trailer of 33 KiB",
        HEADERS_TOO_LARGE,
        chunked(chunks(_BODY)[:-2] + b"X-A: " + b"a" * 33 * 1024 + b"\r\n\r\n"),
    ),
    # Too much.
    case("a body of 1 MiB", CREATED, post(_padded(_MIB))),
    case("a body of 1 MiB and a byte", TOO_LARGE, post(_padded(_MIB + 1))),
    case("a body of 4 MiB", TOO_LARGE, post(_padded(4 * _MIB))),
    case("2 GiB announced", TOO_LARGE, _stated(b"2147483648")),
    case("8 EiB announced", TOO_LARGE, _stated(b"9223372036854775807")),
    case("2 GiB announced to an operation without a body", TOO_LARGE, mine(LIST, b"Content-Length: 2147483648")),
    case("2 GiB announced to an unknown path", NO_ENDPOINT.closing(), get(b"/v1/none", b"Content-Length: 2147483648")),
    case(
        "2 GiB announced with no key",
        UNAUTHENTICATED.closing(),
        head(b"POST", LIST, JSON, b"Content-Length: 2147483648"),
    ),
    case(
        "2 GiB announced with a wrong key",
        UNAUTHENTICATED.closing(),
        head(b"POST", LIST, JSON, b"X-API-Key: " + MARK, b"Content-Length: 2147483648"),
    ),
    case("1 MiB in one chunk", CREATED, chunked(chunks(_padded(_MIB)))),
    case("1 MiB and a byte in one chunk", TOO_LARGE, chunked(chunks(_padded(_MIB + 1)))),
    case("4 MiB in chunks", TOO_LARGE, chunked(chunks(*[b" " * 65536] * 64))),
    case(
        "4 MiB in chunks with a wrong key",
        UNAUTHENTICATED.closing(),
        head(b"POST", LIST, JSON, CHUNKED, b"X-API-Key: " + MARK),
        AWAIT,
        chunks(*[b" " * 65536] * 4),
    ),
    case("a chunk of 4 GiB announced", TOO_LARGE, chunked(b"FFFFFFFF\r\n" + b" " * (_MIB + 1))),
    # Expect (RFC 9110 section 10.1.1).
    case(
        "100-continue",
        CREATED,
        _long(b"Expect: 100-continue", b"Content-Length: 16", content=b""),
        AWAIT,
        _BODY,
        before=(100,),
    ),
    case(
        "100-Continue in capitals",
        CREATED,
        _long(b"Expect: 100-CONTINUE", b"Content-Length: 16", content=b""),
        AWAIT,
        _BODY,
        before=(100,),
    ),
    case(
        "100-continue with a wrong key",
        UNAUTHENTICATED.closing(),
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
        CREATED.closing(),
        head(b"POST", LIST, AS_ALICE, JSON, b"Expect: 100-continue", b"Content-Length: 16", version=b"HTTP/1.0")
        + _BODY,
    ),
    case("another expectation", MALFORMED, get(LIVE, b"Expect: " + MARK)),
    case("an empty expectation", MALFORMED, get(LIVE, b"Expect:")),
    case("two expectations", BAD_REQUEST, get(LIVE, b"Expect: 100-continue", b"Expect: 100-continue")),
    case("two expectations in one", MALFORMED, get(LIVE, b"Expect: 100-continue, 100-continue")),
]
