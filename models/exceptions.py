"""Exceptions of the domain layer; web.error_envelope converts each to a response."""


class Failure(Exception):
    """An error that the client sees: `system_message` is a sentence for developers, `details` go into the envelope."""

    code: str

    def __init__(self, system_message: str, /, **details: object) -> None:
        super().__init__(system_message)
        self.system_message = system_message
        self.details = details


class NotFound(Failure):
    """The resource does not exist, or this caller may not know that it does."""

    code = "RESOURCE_NOT_FOUND"


class AccessDenied(Failure):
    """The caller does not belong to the organization, whether or not it exists."""

    code = "ORGANIZATION_ACCESS_DENIED"


class NotCreator(Failure):
    """The caller may hear the track, and only its creator may do this."""

    code = "INSUFFICIENT_PERMISSIONS"


class AmbiguousOrganization(Failure):
    """The caller belongs to several organizations, and the request names none of them."""

    code = "AMBIGUOUS_ORGANIZATION"


class NotSavable(Failure):
    """The share link opens a collection, and only a track can be saved."""

    code = "NOT_SAVABLE"


class CollectionFull(Failure):
    """The collection has its maximum of 10,000 tracks."""

    code = "COLLECTION_FULL"


class VersionMismatch(Failure):
    """The stored version is not the one in If-Match (RFC 9110 section 13.1.1)."""

    code = "PRECONDITION_FAILED"


class Unavailable(Failure):
    """The database is unreachable, busy or full; `retry_after` is in seconds."""

    code = "SERVICE_UNAVAILABLE"

    def __init__(self, system_message: str, /, *, retry_after: int = 1, **details: object) -> None:
        super().__init__(system_message, **details)
        self.retry_after = retry_after


class AudioUnavailable(Unavailable):
    """The audio store cannot be reached, refuses the credentials, or is full; `reason` is for its operator only."""

    def __init__(self, reason: str, /) -> None:
        super().__init__("The audio store is not available", retry_after=5)
        self.reason = reason


class NoAudio(NotFound):
    """The audio store has no object of this name."""


class InvalidValue(Failure):
    """A value that matches the contract and is still invalid; `pointer` is a JSON Pointer (RFC 6901)."""

    code = "VALIDATION_ERROR"

    def __init__(self, pointer: str, code: str, message: str, /) -> None:
        super().__init__(message, errors=[{"pointer": pointer, "code": code, "message": message}])


class TooManyActiveJobs(Failure):
    """The caller has as many queued and running jobs as the installation allows."""

    code = "TOO_MANY_ACTIVE_JOBS"
    retry_after = 5


class SpendLimitExceeded(Failure):
    """The request would cost more than is left of a spending limit; `retry_after` is in seconds."""

    code = "SPEND_LIMIT_EXCEEDED"

    def __init__(self, system_message: str, /, *, retry_after: int, **details: object) -> None:
        super().__init__(system_message, **details)
        self.retry_after = retry_after


class StorageFull(Failure):
    """The audio of the organization has reached the limit of the installation."""

    code = "STORAGE_FULL"


class IdempotencyKeyInUse(Failure):
    """A request with the same idempotency key is still running; `retry_after` is in seconds."""

    code = "IDEMPOTENCY_KEY_IN_USE"
    retry_after = 1


class IdempotencyKeyReused(Failure):
    """The idempotency key was used before, with another request."""

    code = "IDEMPOTENCY_KEY_REUSED"
