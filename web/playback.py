"""Playback: the signed URLs of audio, and the responses to them.

A URL is made for each response that shows it, and is valid for a short time. One function decides what a request gets
(web.http.ranges). The bytes are then sent by this process, from a file or from the store, or by the proxy in front of
it (`X-Accel-Redirect`), which is told only what it decides in the same way.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from hashlib import blake2b
from math import ceil
from typing import Any, NamedTuple
from urllib.parse import quote

from models.audio import EXTENSIONS
from models.audio_store import AudioStore
from models.exceptions import AudioUnavailable, NoAudio
from models.focus_sessions import Segment
from models.tracks import Track
from web.context import RequestContext, current_request
from web.exceptions import PlaybackUrlInvalid
from web.http import ranges
from web.http.file_reader import FAST_BYTES, read_file
from web.http.ranges import RangeRequest, Selection
from web.responses import Piece, RawBody, StreamedBody, WithStatus
from web.security.signed_urls import Grant, URLSealer

AUDIO_OPERATION = "get_audio"
MASTER, SEGMENT = "master", "segment"
PARTS = frozenset((MASTER, SEGMENT))
# The longest that S3 signs a URL for.
MAX_DIRECT_SECONDS = 7 * 24 * 3600
# A proxy decides by these itself; the service ignores them.
_OF_THE_PROXY = (b"if-match", b"if-modified-since", b"if-unmodified-since")


class PlaybackOptions(NamedTuple):
    """Address and lifetime of the URLs, and who sends the audio.

    `path` is the path of the operation, with `{file}`. `public_url` is empty where the address is that of the request.
    A URL is valid for `seconds`, and at least for twice the duration. `accel` is the path of the proxy's internal
    location, or empty. `direct`: the URLs are those that the store signs.
    """

    path: str
    public_url: str = ""
    seconds: int = 900
    accel: str = ""
    direct: bool = False


class Playback:
    """Makes the URLs of one application, and answers them."""

    def __init__(self, store: AudioStore, sealer: URLSealer, options: PlaybackOptions) -> None:
        self.store = store
        self._sealer, self._options = sealer, options

    def url(self, context: RequestContext, track: Track) -> str | None:
        """The URL of a track for whoever has made this request; None if the track has no audio."""
        if track.audio_name is None or track.mime_type is None:
            return None
        return self._signed(context, track, track.audio_name, track.mime_type, MASTER)

    def segment_url(self, context: RequestContext, segment: Segment) -> str:
        """The URL of a segment of a focus session for whoever has made this request."""
        return self._signed(context, segment, segment.audio_name, segment.mime_type, SEGMENT)

    def _signed(self, context: RequestContext, heard: Track | Segment, name: str, mime_type: str, part: str) -> str:
        seconds = max(self._options.seconds, ceil((heard.duration_ms or 0) / 500))
        if self._options.direct:
            return self.store.signed_url(name, min(seconds, MAX_DIRECT_SECONDS))
        file = f"{heard.id}.{EXTENSIONS[mime_type]}"
        seal = self._sealer.seal(file, Grant(heard.organization_id, part, int(context.arrived) + seconds))
        address = self._options.public_url or _address(context)
        return f"{address}{self._options.path.format(file=file)}?sig={seal}"

    def grant(self, context: RequestContext, file: str, seal: str) -> Grant:
        """What the seal of a URL grants at this moment. Raises PlaybackUrlInvalid."""
        grant = self._sealer.open(file, seal)
        if grant is None or grant.expires <= context.arrived or grant.part not in PARTS:
            raise PlaybackUrlInvalid
        return grant

    def response(
        self, context: RequestContext, track: Track | Segment | None, grant: Grant, request: RangeRequest
    ) -> WithStatus[Any]:
        """The audio of a track or segment that is granted, or the range that is asked for.

        Raises PlaybackUrlInvalid for no track and for one without audio; RangeNotSatisfiable.
        """
        if track is None or track.audio_name is None or track.audio_bytes is None or track.mime_type is None:
            raise PlaybackUrlInvalid
        tag = entity_tag(track.audio_name)
        selection = ranges.select(request, track.audio_bytes, tag)
        left = max(0, grant.expires - ceil(context.arrived))
        headers = {"etag": tag, "cache-control": f"private, max-age={left}"} | selection.headers(track.audio_bytes)
        if selection.status == 304:
            return WithStatus(None, 304, headers)
        if self._is_for_proxy(context, request, selection):
            headers["x-accel-redirect"] = self._options.accel + quote(track.audio_name)
            if selection.status == 200:
                del headers["accept-ranges"]  # nginx adds its own to a whole file, and to nothing else
            return WithStatus(RawBody(b"", track.mime_type), selection.status, headers)
        pieces = self._pieces(track.audio_name, selection.start, selection.end)
        return WithStatus(
            StreamedBody(pieces, track.mime_type, selection.end - selection.start), selection.status, headers
        )

    def _is_for_proxy(self, context: RequestContext, request: RangeRequest, selection: Selection) -> bool:
        """Whether the proxy sends the audio: only what it understands in the same way."""
        if not self._options.accel or request.method != "GET" or any(name in context.headers for name in _OF_THE_PROXY):
            return False
        return request.range is None or (selection.status == 206 and ranges.is_simple(request.range))

    def _pieces(self, name: str, start: int, end: int) -> AsyncGenerator[Piece, None]:
        path = self.store.path(name)
        return self._from_store(name, start, end) if path is None else read_file(path, start, end)

    async def _from_store(self, name: str, start: int, end: int) -> AsyncGenerator[bytes, None]:
        """Small pieces, because the connection of a slow client keeps what the client has not taken."""
        try:
            async for piece in self.store.read(name, start, end, FAST_BYTES):
                yield piece
        except NoAudio as missing:
            raise AudioUnavailable(f"there is no {name}, which a track names") from missing


def entity_tag(audio_name: str) -> str:
    """The strong entity tag of an audio file. The object of other audio has another name."""
    file = audio_name.rpartition("/")[2]  # without the organization, which the tag must not tell
    return f'"{blake2b(file.encode(), digest_size=8).hexdigest()}"'


def url(track: Track) -> str | None:
    """The address at which the track can be played for a short time; None if it has no audio."""
    context = current_request.get()
    return _of(context).url(context, track)


def segment_url(segment: Segment) -> str:
    """The address at which the segment can be played for a short time."""
    context = current_request.get()
    return _of(context).segment_url(context, segment)


def grant(file: str, seal: str) -> Grant:
    """What the seal in the URL of this request grants. Raises PlaybackUrlInvalid."""
    context = current_request.get()
    return _of(context).grant(context, file, seal)


def response(
    track: Track | Segment | None, grant: Grant, *, if_none_match: str | None, range_: str | None, if_range: str | None
) -> WithStatus[Any]:
    """The response with the audio that is granted. Raises PlaybackUrlInvalid, RangeNotSatisfiable."""
    context = current_request.get()
    request = RangeRequest(context.method, if_none_match, range_, if_range)
    return _of(context).response(context, track, grant, request)


def _of(context: RequestContext) -> Playback:
    if not isinstance(context.playback, Playback):
        raise RuntimeError("This application has no audio store")
    return context.playback


def _address(context: RequestContext) -> str:
    """Scheme and host of the request."""
    scope = context.scope
    host = context.headers.get(b"host", b"").decode("latin-1")
    return f"{scope['scheme']}://{host or ':'.join(map(str, scope['server']))}"
