"""Security requirements, compiled: where each credential is sent, and which credentials suffice.

OpenAPI 3.0.3, Security Scheme Object and Security Requirement Object.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from web.contract.document import lookup


class Place(NamedTuple):
    """Where a credential is sent: in the `header` or the `query`, under a name."""

    kind: str
    name: str

    @property
    def challenge(self) -> str:
        """The challenge in WWW-Authenticate (RFC 9110 section 11.6.1)."""
        if self == BEARER:
            return 'Bearer realm="music-studio"'
        return f'ApiKey realm="music-studio", {self.kind}="{self.name}"'


class Requirement(NamedTuple):
    """Credentials that suffice together, as a set of bits, and the scopes that they must have."""

    credentials: int
    scopes: frozenset[str]


BEARER = Place("header", "Authorization")


class Security:
    """The security of one operation: one of the `requirements` must be met.

    Each place of a credential has a bit. `headers` (lower-case names) and `query` hold the places of every scheme in
    the document, because each credential that is sent must be valid, whether it is required or not. `scope` is required
    with every credential.
    """

    def __init__(self, document: dict[str, Any], listed: list[dict[str, list[str]]], scope: str | None) -> None:
        schemes = places(document)
        bits = {place: 1 << number for number, place in enumerate(dict.fromkeys(schemes.values()))}
        extra = {scope} if scope else set()
        self.requirements = [
            Requirement(sum({bits[schemes[name]] for name in node}), frozenset(extra.union(*node.values())))
            for node in listed
        ]
        self.is_optional = {} in listed
        self.headers = [(p.name.lower().encode(), bit, p == BEARER) for p, bit in bits.items() if p.kind == "header"]
        self.query = {place.name: bit for place, bit in bits.items() if place.kind == "query"}


def places(document: dict[str, Any]) -> dict[str, Place]:
    """Where the credential of each security scheme is sent, by the name of the scheme. Raises ValueError."""
    schemes = document.get("components", {}).get("securitySchemes", {})
    return {name: _place(name, lookup(document, scheme)) for name, scheme in schemes.items()}


def _place(name: str, scheme: dict[str, Any]) -> Place:
    if scheme["type"] in ("oauth2", "openIdConnect") or scheme.get("scheme", "").lower() == "bearer":
        return BEARER
    if scheme["type"] == "apiKey" and scheme["in"] in ("header", "query"):
        return Place(scheme["in"], scheme["name"])
    raise ValueError(
        f"The security scheme {name} is neither a bearer token nor an API key in a header or in the query."
    )


def challenges(document: dict[str, Any]) -> str:
    """The value of WWW-Authenticate: a challenge for each place of a credential, the bearer token first."""
    listed = sorted(dict.fromkeys(places(document).values()), key=BEARER.__ne__)
    return ", ".join(place.challenge for place in listed)
