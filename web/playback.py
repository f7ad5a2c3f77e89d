"""Playback: the signed URLs of audio, and the responses to them.

A URL is made for each response that shows it, and is valid for a short time. One function decides what a request gets
(web.http.ranges). The bytes are then sent by this process, from a file or from the store, or by the proxy in front of
it (`X-Accel-Redirect`), which is told only what it decides in the same way.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from hashlib import blake2b
from math import ceil
from typing import Any, NamedTuple
from urllib.parse import quote

from models.audio import EXTENSIONS, StoredAudio
from models.audio_store import AudioStore
from models.exceptions import AudioUnavailable, NoAudio
from models.focus_sessions import Segment
from models.tracks import Track
from web.context import RequestContext, current_request, request_origin
from web.exceptions import PlaybackUrlInvalid
from web.http import ranges
from web.http.ranges import RangeRequest, Selection
from web.responses import Piece, RawBody, StreamedBody, WithStatus
from web.security.signed_urls import Grant, URLSealer

AUDIO_OPERATION = "get_audio"
# Of an object of S3: the connection of a slow client keeps the last piece.
PIECE_BYTES = 32 * 1024
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

    def url(self, context: RequestContext, track: Track, *, is_shared: bool = False) -> str | None:
        """The URL of a track for whoever has made this request; None if the track has no audio.

        `is_shared`: for strangers, who must not learn whose the track is. A URL of the store names the organization.
        """
        if track.audio_name is None or track.mime_type is None:
            return None
        return self._signed(context, track, track.audio_name, track.mime_type, MASTER, is_shared=is_shared)

    def segment_url(self, context: RequestContext, segment: Segment) -> str:
        """The URL of a segment of a focus session for whoever has made this request."""
        return self._signed(context, segment, segment.audio_name, segment.mime_type, SEGMENT)

    def _signed(
        self,
        context: RequestContext,
        heard: Track | Segment,
        name: str,
        mime_type: str,
        part: str,
        *,
        is_shared: bool = False,
    ) -> str:
        seconds = max(self._options.seconds, ceil((heard.duration_ms or 0) / 500))
        if self._options.direct and not is_shared:
            return self.store.signed_url(name, min(seconds, MAX_DIRECT_SECONDS))
        file = f"{heard.id}.{EXTENSIONS[mime_type]}"
        seal = self._sealer.seal(file, Grant(heard.organization_id, part, int(context.arrived) + seconds))
        address = self._options.public_url or request_origin(context)
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
        audio = None if track is None else _audio(track)
        if audio is None:
            raise PlaybackUrlInvalid
        left = max(0, grant.expires - ceil(context.arrived))
        kept = {"cache-control": f"private, max-age={left}"}
        return self._send(context, request, audio, ranges.select(request, audio.size, entity_tag(audio.name)), kept)

    def part(self, context: RequestContext, track: Track, request: RangeRequest) -> WithStatus[Any] | None:
        """The range of a track's audio that is asked for, which no cache keeps.

        None for the whole, and for a track without audio. Raises RangeNotSatisfiable.
        """
        audio = _audio(track)
        if audio is None:
            return None
        selection = ranges.select(request, audio.size, entity_tag(audio.name))
        return self._send(context, request, audio, selection, {}) if selection.status == 206 else None

    def _send(
        self,
        context: RequestContext,
        request: RangeRequest,
        audio: StoredAudio,
        selection: Selection,
        headers: dict[str, str],
    ) -> WithStatus[Any]:
        headers |= {"etag": entity_tag(audio.name)} | selection.headers(audio.size)
        if selection.status == 304:
            return WithStatus(None, 304, headers)
        if self._is_for_proxy(context, request, selection):
            headers["x-accel-redirect"] = self._options.accel + quote(audio.name)
            if selection.status == 200:
                del headers["accept-ranges"]  # nginx adds its own to a whole file, and to nothing else
            return WithStatus(RawBody(b"", audio.mime_type), selection.status, headers)
        pieces = self._pieces(audio.name, selection.start, selection.end)
        body = StreamedBody(pieces, audio.mime_type, selection.end - selection.start)
        return WithStatus(body, selection.status, headers)

    def _is_for_proxy(self, context: RequestContext, request: RangeRequest, selection: Selection) -> bool:
        """Whether the proxy sends the audio: only what it understands in the same way."""
        if not self._options.accel or request.method != "GET" or any(name in context.headers for name in _OF_THE_PROXY):
            return False
        return request.range is None or (selection.status == 206 and ranges.is_simple(request.range))

    async def _pieces(self, name: str, start: int, end: int) -> AsyncGenerator[Piece, None]:
        try:
            async with aclosing(self.store.read(name, start, end, PIECE_BYTES)) as pieces:
                async for piece in pieces:
                    yield piece
                    del piece
        except NoAudio as missing:
            raise AudioUnavailable(f"there is no {name}, which a track names") from missing


def entity_tag(audio_name: str) -> str:
    """The strong entity tag of an audio file. The object of other audio has another name."""
    file = audio_name.rpartition("/")[2]  # without the organization, which the tag must not tell
    return f'"{blake2b(file.encode(), digest_size=8).hexdigest()}"'


def url(track: Track, *, is_shared: bool = False) -> str | None:
    """The address at which the track can be played for a short time; None if it has no audio.

    `is_shared`: the address is for strangers, and does not tell them whose the track is.
    """
    context = current_request.get()
    return _of(context).url(context, track, is_shared=is_shared)


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


def part(track: Track, *, range_: str | None, if_range: str | None) -> WithStatus[Any] | None:
    """The range of a track's audio that this request asks for; None if it is to be led to the track's URL.

    Raises RangeNotSatisfiable.
    """
    context = current_request.get()
    return _of(context).part(context, track, RangeRequest(context.method, None, range_, if_range))


def _audio(track: Track | Segment) -> StoredAudio | None:
    if track.audio_name is None or track.audio_bytes is None or track.mime_type is None:
        return None
    return StoredAudio(track.audio_name, track.audio_bytes, track.mime_type)


def _of(context: RequestContext) -> Playback:
    if not isinstance(context.playback, Playback):
        raise RuntimeError("This application has no audio store")
    return context.playback
