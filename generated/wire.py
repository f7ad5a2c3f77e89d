"""The bodies of the contract as types; written by `make generate`, never by hand."""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypeAlias
from typing_extensions import TypedDict


OrganizationId: TypeAlias = str


CollectionId: TypeAlias = str


TrackId: TypeAlias = str


CollectionName: TypeAlias = str


Timestamp: TypeAlias = str


class Collection(TypedDict, closed=True):
    """
    A user-owned, ordered grouping of tracks inside an organization. Only its owner sees it. A track may be in many collections.
    """

    id: CollectionId
    name: CollectionName
    description: str | None
    cover_track_id: str | None
    cover_image_url: str | None
    track_count: int | None
    created_at: Timestamp
    updated_at: Timestamp


class CollectionPage(TypedDict, closed=True):
    """
    A part of the caller's collections, newest first.
    """

    items: list[Collection]
    limit: int
    offset: int


class CollectionCreate(TypedDict, closed=True):
    """
    What a new collection starts with.
    """

    name: CollectionName
    description: NotRequired[str | None]
    cover_track_id: NotRequired[str | None]
    cover_image_url: NotRequired[str | None]


class CollectionPatch(TypedDict, closed=True):
    """
    The fields to change. A field left out stays as it is; null clears a field, except the name.
    """

    name: NotRequired[CollectionName]
    description: NotRequired[str | None]
    cover_track_id: NotRequired[str | None]
    cover_image_url: NotRequired[str | None]


class CollectionTrack(TypedDict, closed=True):
    """
    A track's place in a collection.
    """

    track_id: TrackId
    position: int
    added_at: Timestamp


class CollectionTrackPage(TypedDict, closed=True):
    """
    A part of a collection's tracks, in order.
    """

    collection_id: CollectionId
    items: list[CollectionTrack]
    limit: int
    offset: int


class CollectionTrackCreate(TypedDict, closed=True):
    """
    The track to add.
    """

    track_id: TrackId


class CollectionOrder(TypedDict, closed=True):
    """
    The new order of a collection's tracks.
    """

    ordered_track_ids: list[TrackId]


class Acknowledgement(TypedDict, closed=True):
    """
    Says that a request took effect, or that there was nothing left to do.
    """

    success: bool
    id: str
    detail: str


Money: TypeAlias = str


Language: TypeAlias = str


JobId: TypeAlias = str


JobStatus: TypeAlias = Literal["queued", "running", "succeeded", "failed", "cancelled", "refused"]


StyleTag: TypeAlias = str


FocusSessionId: TypeAlias = str


FocusStatus: TypeAlias = Literal["active", "ended", "stopped_cap"]


FocusGoal: TypeAlias = Literal["focus", "relax", "sleep", "energize", "custom_prompt"]


FocusIntensity: TypeAlias = Literal["low", "medium", "high"]


FocusEngine: TypeAlias = str


class FocusSessionCreate(TypedDict, closed=True):
    """
    What a session is for, and how long it lasts.
    """

    goal: FocusGoal
    target_minutes: int
    custom_prompt: NotRequired[str | None]
    intensity: NotRequired[FocusIntensity]
    divergence: NotRequired[float]
    engine: NotRequired[FocusEngine]


class FocusSegment(TypedDict, closed=True):
    """
    A part of a session that is ready, and how it is joined to its neighbours.
    """

    segment_index: int
    playback_url: str
    measured_duration_seconds: float
    target_lufs: float
    fade_in_ms: int
    fade_out_ms: int


UsageSpan: TypeAlias = Literal["day", "week", "month"]


class Violation(TypedDict, closed=True):
    """
    One rule of the contract that a value in the request breaks.
    """

    pointer: str
    code: str
    message: str


ErrorType: TypeAlias = Literal[
    "client_error",
    "authentication_error",
    "authorization_error",
    "validation_error",
    "rate_limit_error",
    "server_error",
]


ErrorCode: TypeAlias = Literal[
    "MALFORMED_REQUEST",
    "AUTHENTICATION_REQUIRED",
    "API_KEY_EXPIRED",
    "API_KEY_DEACTIVATED",
    "API_KEY_PAUSED",
    "TOKEN_EXPIRED",
    "TOKEN_INVALID",
    "ORGANIZATION_ACCESS_DENIED",
    "INSUFFICIENT_PERMISSIONS",
    "AMBIGUOUS_ORGANIZATION",
    "PLAYBACK_URL_INVALID",
    "RESOURCE_NOT_FOUND",
    "ENDPOINT_NOT_FOUND",
    "METHOD_NOT_ALLOWED",
    "NOT_ACCEPTABLE",
    "REQUEST_TIMEOUT",
    "COLLECTION_FULL",
    "IDEMPOTENCY_KEY_IN_USE",
    "TOO_MANY_ACTIVE_JOBS",
    "PRECONDITION_FAILED",
    "PAYLOAD_TOO_LARGE",
    "URI_TOO_LONG",
    "UNSUPPORTED_MEDIA_TYPE",
    "RANGE_NOT_SATISFIABLE",
    "VALIDATION_ERROR",
    "IDEMPOTENCY_KEY_REUSED",
    "NOT_SAVABLE",
    "PRECONDITION_REQUIRED",
    "RATE_LIMIT_EXCEEDED",
    "SPEND_LIMIT_EXCEEDED",
    "HEADERS_TOO_LARGE",
    "INTERNAL_SERVER_ERROR",
    "SERVICE_UNAVAILABLE",
    "STORAGE_FULL",
]


class Health(TypedDict, closed=True):
    """
    The state of the service.
    """

    status: Literal["live", "ready"]


class ContractDocument(TypedDict):
    """
    An OpenAPI document.
    """

    openapi: str
    info: dict[str, Any]
    paths: dict[str, Any]


ShareId: TypeAlias = str


ShareVisibility: TypeAlias = Literal["link_only", "public"]


ShareTarget: TypeAlias = Literal["track", "collection"]


class ShareCreate(TypedDict, closed=True):
    """
    How long the link is valid, and for whom it is meant.
    """

    visibility: NotRequired[ShareVisibility]
    expires_in_days: NotRequired[int]


class ShareLinkCreated(TypedDict, closed=True):
    """
    A new link with its token, which is shown this once. Whoever has it hears the music.
    """

    id: ShareId
    token: str
    url: str
    target_type: ShareTarget
    visibility: ShareVisibility
    expires_at: str | None
    created_at: Timestamp


class ShareLink(TypedDict, closed=True):
    """
    A link of the caller, without its token.
    """

    id: ShareId
    target_type: ShareTarget
    visibility: ShareVisibility
    expires_at: str | None
    created_at: Timestamp
    revoked_at: str | None
    resolve_count: int


class ShareLinkPage(TypedDict, closed=True):
    """
    A part of the caller's links, newest first.
    """

    items: list[ShareLink]
    limit: int
    offset: int


class ShareConditions(TypedDict, closed=True):
    """
    What whoever has a link may know about it. Nothing tells whose it is.
    """

    target_type: ShareTarget
    visibility: ShareVisibility
    expires_at: str | None


class ResolvedCollection(TypedDict, closed=True):
    """
    The collection of a link to a collection, as whoever has the link sees it. Null for another link.
    """

    id: CollectionId
    name: CollectionName
    description: str | None


class SharedTrackSave(TypedDict, closed=True):
    """
    Where the track is to be saved.
    """

    organization_id: NotRequired[OrganizationId]


TrackMode: TypeAlias = Literal["creation", "focus"]


LicenceClass: TypeAlias = Literal["commercial_cleared", "commercial_enterprise", "personal_only", "unclear"]


EngineKey: TypeAlias = str


class Track(TypedDict, closed=True):
    """
    A piece of music of an organization. Its creator hears it, and whoever has it in the library.
    """

    id: TrackId
    title: str | None
    engine: EngineKey
    mode: TrackMode
    measured_duration_seconds: float | None
    instrumental: bool
    licence_class: LicenceClass
    commercial_use: bool
    requires_attribution: bool
    created_at: Timestamp
    playback_url: str | None
    stem_urls: dict[str, str] | None


class TrackPage(TypedDict, closed=True):
    """
    A part of the caller's library, newest save first.
    """

    items: list[Track]
    limit: int
    offset: int


EntrySource: TypeAlias = Literal["own", "shared"]


class LibraryEntry(TypedDict, closed=True):
    """
    The place of a track in the caller's library.
    """

    id: str
    track_id: TrackId
    source: EntrySource
    created_at: Timestamp
    saved: bool
    share_link_id: str | None


class Engine(TypedDict, closed=True):
    """
    One way to make music, what it can do, who may use its music, and what it costs.
    """

    engine_key: EngineKey
    name: str
    description: str
    modes: list[TrackMode]
    max_duration_seconds: int
    supports_vocals: bool
    supports_lyrics: bool
    supports_stems: bool
    supports_continuation: bool
    languages: list[Language]
    licence_class: LicenceClass
    commercial_use: bool
    requires_attribution: bool
    cost_chf_per_minute: Money


class EngineList(TypedDict, closed=True):
    """
    The engines that can be used now.
    """

    items: list[Engine]


class GenerationCreate(TypedDict, closed=True):
    """
    What is to be made.
    """

    engine: EngineKey
    prompt: str
    duration_seconds: int
    mode: NotRequired[TrackMode]
    instrumental: NotRequired[bool]
    lyrics: NotRequired[str | None]
    seed_track_id: NotRequired[str | None]
    style_tags: NotRequired[list[StyleTag]]
    title: NotRequired[str | None]
    idempotency_key: NotRequired[str | None]


class JobTrack(TypedDict, closed=True):
    """
    The track that was made. Null unless the job has succeeded, in the list, and once the track is deleted.
    """

    id: TrackId
    title: str | None
    engine: EngineKey
    mode: TrackMode
    instrumental: bool
    measured_duration_seconds: float | None
    mime_type: str | None
    licence_class: LicenceClass
    playback_url: str | None


class Job(TypedDict, closed=True):
    """
    A request for a piece of music and what has become of it. Only its caller sees it.
    """

    id: JobId
    status: JobStatus
    progress: int
    engine: EngineKey
    mode: TrackMode
    created_at: Timestamp
    result_track_id: str | None
    error_message: str | None
    refusal_reason: str | None
    playback_url: str | None
    track: JobTrack | None


class JobPage(TypedDict, closed=True):
    """
    A part of the caller's jobs, newest first.
    """

    jobs: list[Job]
    limit: int
    offset: int


class FocusSession(TypedDict, closed=True):
    """
    Music that goes on, and how much of it is ready. Only its caller sees it.
    """

    session_id: FocusSessionId
    status: FocusStatus
    goal: FocusGoal
    engine: EngineKey
    target_minutes: int
    total_segments: int
    ready_count: int
    segments: list[FocusSegment]
    more_pending: bool
    next_ready_at: str | None


class FocusSessionPage(TypedDict, closed=True):
    """
    A part of the caller's focus sessions, newest first.
    """

    items: list[FocusSession]
    limit: int
    offset: int


class EngineUsage(TypedDict, closed=True):
    """
    What the caller has used of one engine in a window.
    """

    engine: EngineKey
    track_count: int
    cost_chf: Money


class UsageWindow(TypedDict, closed=True):
    """
    What the caller has used since the start of a window, and what the organization may spend in it.
    """

    window: UsageSpan
    window_start: Timestamp
    cost_chf: Money
    limit_chf: str | None
    by_engine: list[EngineUsage]


class Usage(TypedDict, closed=True):
    """
    What the caller has used in an organization today, this week and this month.
    """

    organization_id: OrganizationId
    windows: list[UsageWindow]


class ErrorDetails(TypedDict):
    """
    Facts about this error, by name. Each is present where it says something, so the object may be empty. A minor version may add names.
    """

    organization_id: NotRequired[str]
    collection_id: NotRequired[str]
    track_id: NotRequired[str]
    job_id: NotRequired[str]
    share_id: NotRequired[str]
    session_id: NotRequired[str]
    scope: NotRequired[str]
    version: NotRequired[int]
    errors: NotRequired[list[Violation]]
    omitted: NotRequired[int]
    field: NotRequired[str]
    position: NotRequired[int]
    limit: NotRequired[int]
    active_jobs: NotRequired[int]
    window: NotRequired[str]
    limit_chf: NotRequired[str]
    resets_at: NotRequired[str]
    retry_after: NotRequired[int]


class TrackLicence(TypedDict, closed=True):
    """
    What is known of the rights to a track.
    """

    licence_class: LicenceClass
    licence_version: str | None
    commercial_use: bool
    requires_attribution: bool


class SharedTrack(TypedDict, closed=True):
    """
    A track of a shared collection, as whoever has the link sees it.
    """

    id: TrackId
    title: str | None
    engine: EngineKey
    mode: TrackMode
    measured_duration_seconds: float | None
    instrumental: bool
    playback_url: str | None
    licence: TrackLicence


class ResolvedTrack(TypedDict, closed=True):
    """
    The track of a link to a track, as whoever has the link sees it. Null for another link.
    """

    id: TrackId
    title: str | None
    engine: EngineKey
    mode: TrackMode
    measured_duration_seconds: float | None
    instrumental: bool
    playback_url: str | None
    licence: TrackLicence


class ResolvedShare(TypedDict, closed=True):
    """
    What a link opens: a `track`, or a `collection` with its `tracks`. If the owner has removed it, `available` is false, `message` says so, and all three are null.
    """

    kind: ShareTarget
    available: bool
    message: str | None
    share: ShareConditions
    track: ResolvedTrack | None
    collection: ResolvedCollection | None
    tracks: list[SharedTrack] | None


class SavedSharedTrack(TypedDict, closed=True):
    """
    The place of a shared track in the caller's library.
    """

    id: str
    track_id: TrackId
    source: EntrySource
    share_link_id: str | None
    created_at: Timestamp


class ErrorBody(TypedDict, closed=True):
    """
    What went wrong, for a program, a person and a developer. All eight fields are always present.
    """

    code: ErrorCode
    message: str
    system_message: str
    type: ErrorType
    status: int
    details: ErrorDetails
    trace_id: str
    timestamp: str


class ErrorEnvelope(TypedDict, closed=True):
    """
    The one body of every response of 400 and above, whichever part of the service made it.
    """

    success: bool
    error: ErrorBody
