"""Errors of the peers; each framework renders them in its own way."""


class Refused(Exception):
    """A request that is refused with a status and an error code."""

    status = 500
    code = "INTERNAL_SERVER_ERROR"


class Unauthenticated(Refused):
    status = 401
    code = "AUTHENTICATION_REQUIRED"


class Forbidden(Refused):
    status = 403
    code = "INSUFFICIENT_PERMISSIONS"


class Absent(Refused):
    status = 404
    code = "RESOURCE_NOT_FOUND"


class Invalid(Refused):
    status = 422
    code = "VALIDATION_ERROR"


def envelope(status: int, code: str) -> dict[str, object]:
    """The error body of a peer."""
    return {"success": False, "error": {"code": code, "status": status}}
