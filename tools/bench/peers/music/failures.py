"""Why a peer turns a request away; each framework renders these in its own way."""


class Refused(Exception):
    """A request that is turned away with a status and a code."""

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
