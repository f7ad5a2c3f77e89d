"""Pydantic models of the request and response bodies."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from tools.bench.peers.music.patterns import ADDRESS, NAME, TEXT, TRACK

Name = Annotated[str, StringConstraints(min_length=1, max_length=512, pattern=NAME)]
Description = Annotated[str, StringConstraints(max_length=4096, pattern=TEXT)]
Cover = Annotated[str, StringConstraints(max_length=1024, pattern=ADDRESS)]
Track = Annotated[str, StringConstraints(max_length=19, pattern=TRACK)]


def _distinct(tracks: list[str]) -> list[str]:
    if len(set(tracks)) != len(tracks):
        raise ValueError("a track is listed twice")
    return tracks


class NewCollection(BaseModel):
    """The body of a new collection."""

    model_config = ConfigDict(extra="forbid", strict=True)
    name: Name
    description: Description | None = None
    cover_track_id: Track | None = None
    cover_image_url: Cover | None = None


class CollectionPatch(BaseModel):
    """The body of a PATCH; absent fields stay unchanged."""

    model_config = ConfigDict(extra="forbid", strict=True)
    name: Name = ""
    description: Description | None = None
    cover_track_id: Track | None = None
    cover_image_url: Cover | None = None


class CollectionOrder(BaseModel):
    """A new order of tracks."""

    model_config = ConfigDict(extra="forbid", strict=True)
    ordered_track_ids: Annotated[list[Track], Field(max_length=10_000), AfterValidator(_distinct)]


class Collection(BaseModel):
    """A collection in a response."""

    id: str
    name: str
    description: str | None
    cover_track_id: str | None
    cover_image_url: str | None
    track_count: int | None
    created_at: str
    updated_at: str


class CollectionPage(BaseModel):
    """A page of collections."""

    items: list[Collection]
    limit: int
    offset: int


class CollectionTrack(BaseModel):
    """A track and its position."""

    track_id: str
    position: int
    added_at: str


class TrackPage(BaseModel):
    """A page of a collection's tracks."""

    collection_id: str
    items: list[CollectionTrack]
    limit: int
    offset: int


class Acknowledgement(BaseModel):
    """The response to a reorder."""

    success: bool
    id: str
    detail: str
