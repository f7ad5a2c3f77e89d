"""Demo data: the organization, users, tracks and collection of the reference page, with the same values."""

from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple

from sqlalchemy import and_, bindparam, delete, null, select, update

from models.db import connection
from models.organizations import join
from models.schema import collection_tracks, collections, library_entries, organizations, tracks
from ops import demo_focus, demo_jobs, demo_shares, fixtures
from ops.errors import CommandError

ORGANIZATION, OTHER_ORGANIZATION = "org_abc123", "org_def456"
COLLECTION = "mcoll_4a1f9c7e2b8d"
PAGE = f"/v1/music/{ORGANIZATION}/collections/{COLLECTION}"
ALICE, BOB = "user_alice", "user_bob"
USERS = {
    "alice": (ORGANIZATION, ALICE),
    "bob": (ORGANIZATION, BOB),
    "mallory": (OTHER_ORGANIZATION, "user_mallory"),
}

DAY = datetime(2026, 6, 28, tzinfo=UTC)
CREATED, UPDATED = DAY + timedelta(hours=10, minutes=30), DAY + timedelta(hours=11, minutes=15)
SECOND_ADDED = DAY + timedelta(hours=10, minutes=40)


class Piece(NamedTuple):
    """A track of the demo, and what its engine is asked for."""

    track_id: str
    title: str
    seconds: int
    engine: str
    mode: str
    prompt: str


# The first two ids are on the reference pages.
TRACKS = (
    Piece("mtrack_8d2e1f6a3c9b", "Morning Desk", 24, "studio", "creation", "gentle morning, piano and strings, 84 bpm"),
    Piece("mtrack_1b9c4e7f2a6d", "Slow Compile", 22, "drift", "focus", "slow, steady work, floating pads"),
    Piece("mtrack_5f0a7d3c9e12", "Paper Lanterns", 24, "studio", "creation", "peaceful folk, harp and flute, 3/4"),
    Piece("mtrack_c47b2e8d1f90", "Glass Harbour", 22, "drift", "creation", "dreamy water, bells, in D major"),
    Piece("mtrack_2e9d6a0b5c38", "Quiet Index", 20, "studio", "focus", "quiet concentration, electric piano, no drums"),
    Piece("mtrack_9a3f1c7e4d06", "Long Division", 26, "studio", "creation", "mysterious, classical, piano, in E minor"),
    Piece("mtrack_07d5b8e2f4a1", "Rain on Felt", 22, "studio", "creation", "rain on a window, felt piano, 70 bpm"),
    Piece("mtrack_e1c6904a7b3f", "Second Coffee", 20, "studio", "creation", "happy jazz, swing, 120 bpm"),
    Piece("mtrack_6b28f5d0c9e7", "Northern Window", 24, "drift", "focus", "winter, wistful strings, in A minor"),
    Piece("mtrack_d90e3a7b1c54", "Margin Notes", 22, "studio", "focus", "lofi beats to study"),
    Piece(
        "mtrack_48f7c2a5e6b0", "Soft Deadline", 22, "studio", "creation", "driving but warm, pluck and synth, 104 bpm"
    ),
    Piece("mtrack_b3a10d9e8f26", "Evening Merge", 26, "studio", "creation", "hopeful evening, house, 120 bpm"),
)

# That of bob, who shares it.
SHARED = Piece(
    "mtrack_a4c19e7d2b56", "Borrowed Light", 20, "studio", "creation", "bright morning, harp and flute, 90 bpm"
)
PIECES = (*TRACKS, SHARED)

ORGANIZATIONS = select(organizations.c.id)
RESET_TRACK = (
    update(tracks)
    .where(tracks.c.organization_id == bindparam("organization"), tracks.c.id == bindparam("track"))
    .values(engine=bindparam("new_engine"), mode=bindparam("new_mode"), deleted_at=null())
)
EMPTY_LIBRARY = delete(library_entries).where(
    library_entries.c.organization_id == bindparam("organization_id"), library_entries.c.user_id == bindparam("user_id")
)
OWN = {"organization_id": ORGANIZATION, "owner_id": ALICE, "collection_id": COLLECTION}
EMPTY_COLLECTION = delete(collection_tracks).where(
    and_(*(collection_tracks.c[name] == bindparam(name) for name in OWN))
)
DROP_COLLECTION = delete(collections).where(
    collections.c.organization_id == bindparam("organization_id"),
    collections.c.owner_id == bindparam("owner_id"),
    collections.c.id == bindparam("collection_id"),
)


def contents() -> Literal["nothing", "demo", "other"]:
    """The kind of data in the database: none, that of the demo's organizations, or other."""
    ids = {row.id for row in connection.fetch_all(ORGANIZATIONS)}
    if not ids:
        return "nothing"
    return "demo" if ids <= {ORGANIZATION, OTHER_ORGANIZATION} else "other"


@connection.transaction
def load(pepper: bytes) -> None:
    """Loads the demo data, or resets it; `pepper` is the key pepper.

    Raises CommandError if the database contains other data.
    """
    if contents() == "other":
        raise CommandError("The database contains other data than the demo: use a separate database for the demo.")
    for organization_id, user_id in USERS.values():
        join(organization_id, user_id)
    connection.execute_many(fixtures.ADD_TRACK, [*(track(index) for index in range(len(TRACKS))), shared_track()])
    connection.execute_many(RESET_TRACK, [_reset(piece) for piece in PIECES])
    connection.execute(EMPTY_LIBRARY, organization_id=ORGANIZATION, user_id=ALICE)
    connection.execute_many(fixtures.ADD_ENTRY, [entry(index) for index in range(len(TRACKS))])
    demo_shares.clear(ORGANIZATION, COLLECTION)
    connection.execute(EMPTY_COLLECTION, **OWN)
    connection.execute(DROP_COLLECTION, **OWN)
    connection.execute_many(fixtures.ADD_COLLECTION, [collection()])
    connection.execute_many(fixtures.ADD_MEMBER, [member(index) for index in range(len(TRACKS))])
    demo_jobs.reset(ORGANIZATION, ALICE, TRACKS[0].track_id, track(0)["created_at"])
    demo_focus.reset(ORGANIZATION, ALICE, DAY + timedelta(hours=9))
    demo_shares.add(ORGANIZATION, (BOB, SHARED.track_id), (ALICE, COLLECTION), DAY + timedelta(hours=12), pepper)


def _reset(piece: Piece) -> dict[str, object]:
    return {
        "organization": ORGANIZATION,
        "track": piece.track_id,
        "new_engine": piece.engine,
        "new_mode": piece.mode,
    }


def track(index: int) -> dict[str, Any]:
    """The row of the track with that index."""
    return _track(TRACKS[index], ALICE, DAY + timedelta(hours=9, minutes=index))


def shared_track() -> dict[str, Any]:
    """The row of bob's track."""
    return _track(SHARED, BOB, DAY + timedelta(hours=9, minutes=len(TRACKS)))


def _track(piece: Piece, creator_id: str, created_at: datetime) -> dict[str, Any]:
    made = fixtures.track(ORGANIZATION, creator_id, piece.track_id, piece.title, piece.seconds, created_at)
    return made | {"engine": piece.engine, "mode": piece.mode}


def entry(index: int) -> dict[str, Any]:
    """The row of that track in the library of its creator, who saved it at once."""
    return fixtures.entry(track(index))


def collection() -> dict[str, Any]:
    """The row of the demo's collection."""
    named = {
        "name": "Focus Sessions",
        "description": "Instrumental tracks for deep work",
        "cover_track_id": TRACKS[0].track_id,
    }
    return fixtures.collection(ORGANIZATION, ALICE, COLLECTION, len(TRACKS), CREATED, UPDATED) | named


def member(index: int) -> dict[str, Any]:
    """The row of the track with that index in the collection."""
    # The first is added at 10:35 and the second at 10:40, as on the pages; the last one at the time of the last update.
    later = SECOND_ADDED + (UPDATED - SECOND_ADDED) / (len(TRACKS) - 2) * (index - 1)
    added_at = CREATED + timedelta(minutes=5) if index == 0 else later
    return fixtures.member(collection(), index, TRACKS[index].track_id, added_at)
