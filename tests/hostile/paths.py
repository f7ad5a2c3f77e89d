"""Unknown paths, malformed ids, and undefined methods."""

from tools.testing.cases import (
    ACCESS_DENIED,
    AS_ALICE,
    BAD_REQUEST,
    COLLECTION,
    INVALID,
    LIST,
    LIVE,
    MARK,
    METHOD_NOT_ALLOWED,
    NO_CONTENT,
    NO_ENDPOINT,
    NOT_FOUND,
    OK,
    ONE,
    ORDER,
    TRACK,
    TRACKS,
    UNAUTHENTICATED,
    case,
    get,
    head,
    mine,
    shown,
)

_MISSPELT = [
    LIVE + b"/", LIVE + b"//", b"/" + LIVE, b"/v1//health/live", b"/v1/./health/live", b"/v1/../v1/health/live",
    b"/v1/x/../health/live",
    b"/v1/health/%2e/live", b"/v1/health%2Flive", b"/v1/health/liv%65", b"/V1/health/live", b"/v1/health/Live",
    b"/v1/health/live.json",
    b"/v1/health/live;a=b", b"/v1/health/live%00", b"/v1/health/live%0a", b"/v1/health/live%20", b"/v1", b"/v1/", b"/",
    b"/v2/health/live", b"/health/live",
    b"/v1/health", b"/v1/openapi", b"/v1/openapi.json/", b"/v1/openapi.xml", b"/openapi.json", b"/v1/ui",
    b"/v1/swagger.json", b"/.git/config", b"/.env",
    b"/admin", b"/v1/../../etc/passwd", b"/static/../app.py", b"/v1/music", b"/v1/music/org_home1", b"/" * 500,
    b"/v1" + b"/a" * 4000, b"/%", b"/v1/%zz", b"/v1/%e9",
]  # fmt: skip
_BAD_SEGMENTS = [
    b"%2e", b"%2e%2e", b"%2E%2E", b"..", b".", b"a%2fb", b"a%2Fb", b"%5c", b"a%5Cb", b"%00", b"mcoll_%00", b"%0a",
    b"%0d%0a", b"%09", b"%7f", b"%c2%85", b"%80",
    b"%ff", b"%c0%ae", b"%c0%af", b"%ed%a0%80", b"%f8%80%80%80%af", b"%zz", b"%", b"%1", b"%u002f",
]  # fmt: skip
_STRANGE_IDS = [
    b"x", b"mcoll_", b"mcoll_00000000000", b"mcoll_0000000000000", b"MCOLL_000000000000", b"mcoll_00000000000G",
    b"mcoll_00000000000A", b"mtrack_000000000000",
    b"0", b"-1", b"null", b"*", b"a:b", b"a@b", b"a;b", b"%20", b"%25", b"%2500", b"%252f", b"%27%20OR%201=1--",
    b"%22", b"%3Cscript%3E", b"%7B%7B7*7%7D%7D", b"$%7B7*7%7D",
    b"caf%C3%A9", b"%F0%9F%8E%B5", b"%E2%80%AE", b"%EF%BF%BF", b"%EF%BC%8E%EF%BC%8E", b"a" * 300, b"%41" * 2000,
    b"9" * 5000, b"mcoll_000000000000%20",
]  # fmt: skip

PATHS = [
    *(case(f"{shown(path)} is no path", NO_ENDPOINT, get(path)) for path in _MISSPELT),
    case("a raw line feed by its escape in a known path", NO_ENDPOINT, mine(ONE + b"%0a")),
    case("a trailing slash on a list", NO_ENDPOINT, mine(LIST + b"/")),
    case("a trailing slash on an item", NO_ENDPOINT, mine(ONE + b"/")),
    case("an empty organization", NO_ENDPOINT, mine(b"/v1/music//collections")),
    case("a slash too many", NO_ENDPOINT, mine(LIST + b"//" + COLLECTION)),
    case("a path below an item", NO_ENDPOINT, mine(ONE + b"/" + MARK)),
    case("a path below the tracks' items", NO_ENDPOINT, mine(TRACKS + b"/" + TRACK + b"/more", method=b"DELETE")),
    *(case(f"the segment {shown(segment)}", NO_ENDPOINT, mine(LIST + b"/" + segment)) for segment in _BAD_SEGMENTS),
    *(
        case(f"the organization {shown(segment)}", NO_ENDPOINT, mine(b"/v1/music/%s/collections" % segment))
        for segment in _BAD_SEGMENTS[:14]
    ),
    *(case(f"the id {shown(strange)}", NOT_FOUND, mine(LIST + b"/" + strange)) for strange in _STRANGE_IDS),
    *(
        case(f"the tracks of {shown(strange)}", NOT_FOUND, mine(LIST + b"/%s/tracks" % strange))
        for strange in _STRANGE_IDS[:8]
    ),
    *(
        case(f"the organization {shown(strange)}", ACCESS_DENIED, mine(b"/v1/music/%s/collections" % strange))
        for strange in _STRANGE_IDS[:24]
    ),
    *(
        case(
            f"an item of the organization {shown(strange)}",
            NOT_FOUND,
            mine(b"/v1/music/%s/collections/%s" % (strange, COLLECTION)),
        )
        for strange in _STRANGE_IDS[:8]
    ),
    *(
        case(f"to take out the track {shown(strange)}", NOT_FOUND, mine(TRACKS + b"/" + strange, method=b"DELETE"))
        for strange in _STRANGE_IDS[:7]
    ),
    case("a good id in capitals by escapes", NOT_FOUND, mine(LIST + b"/%4dcoll_000000000000")),
    case("a good organization by escapes is that organization", OK, mine(b"/v1/music/%6frg_home1/collections")),
    case("a bad path is nowhere without a key, too", NO_ENDPOINT, get(LIST + b"/%2f")),
    case("a strange id without a key", UNAUTHENTICATED, get(LIST + b"/" + MARK)),
]

METHODS = [
    *(
        case(f"{shown(method)} is no method of HTTP", BAD_REQUEST, head(method, LIVE))
        for method in (
            b"FOO",
            b"get",
            b"Get",
            b"GETT",
            b"G",
            b"GE T",
            b"",
            b"G\0T",
            b"G\xc9T",
            b"GET,POST",
            b'"GET"',
            b"JEFE" * 500,
        )
    ),
    *(
        case(f"{shown(method)} of a path that only has GET", METHOD_NOT_ALLOWED, head(method, LIVE))
        for method in (
            b"POST",
            b"PUT",
            b"PATCH",
            b"DELETE",
            b"TRACE",
            b"PROPFIND",
            b"MKCOL",
            b"LOCK",
            b"PURGE",
            b"SEARCH",
            b"REPORT",
            b"LINK",
            b"SOURCE",
        )
    ),
    case("CONNECT of a path", METHOD_NOT_ALLOWED.closing(), head(b"CONNECT", LIVE)),
    case("PUT of an item", METHOD_NOT_ALLOWED, head(b"PUT", ONE, AS_ALICE, b"Content-Length: 0")),
    case("POST of an item", METHOD_NOT_ALLOWED, head(b"POST", ONE, AS_ALICE, b"Content-Length: 0")),
    case("DELETE of a list", METHOD_NOT_ALLOWED, head(b"DELETE", LIST, AS_ALICE)),
    case("GET of the order", METHOD_NOT_ALLOWED, mine(ORDER)),
    case("HEAD of the order, which has no GET", METHOD_NOT_ALLOWED, mine(ORDER, method=b"HEAD")),
    case("a method that is refused, without a key", METHOD_NOT_ALLOWED, head(b"PUT", ONE)),
    case("a method that is refused, with a body", METHOD_NOT_ALLOWED, head(b"PUT", ONE, b"Content-Length: 2") + b"{}"),
    case(
        "a method in a header, which is ignored",
        OK,
        get(LIVE, b"X-HTTP-Method-Override: DELETE", b"X-Method-Override: DELETE", b"X-HTTP-Method: DELETE"),
    ),
    case("a method in the query, which is refused", INVALID, mine(ONE + b"?_method=DELETE")),
    case("HEAD of the liveness", OK, head(b"HEAD", LIVE)),
    case("HEAD of a list", OK, mine(LIST, method=b"HEAD")),
    case("HEAD without a key", UNAUTHENTICATED, head(b"HEAD", LIST)),
    case("HEAD of nowhere", NO_ENDPOINT, head(b"HEAD", b"/v1/none")),
    case("OPTIONS of a list", NO_CONTENT, head(b"OPTIONS", LIST)),
    case("OPTIONS of nowhere", NO_ENDPOINT, head(b"OPTIONS", b"/v1/none")),
    case("OPTIONS with a body, which is ignored", NO_CONTENT, head(b"OPTIONS", LIST, b"Content-Length: 2") + b"{}"),
    case(
        "a preflight from an origin that is not allowed",
        NO_CONTENT,
        head(b"OPTIONS", LIST, b"Origin: https://evil.example", b"Access-Control-Request-Method: GET"),
    ),
    case("POST of the page for people", METHOD_NOT_ALLOWED, head(b"POST", b"/docs", b"Content-Length: 0")),
]
