"""The mock's stores, by the names under which handlers ask for them."""

from __future__ import annotations

from mock.collection_tracks import CollectionTracks
from mock.collections import Collections
from mock.memory import Memory
from models.interfaces import Stores


def shelves(memory: Memory) -> Stores:
    """Every store that the mock keeps, on the same memory."""
    collections = Collections(memory)
    return {
        "collections": collections,
        "collection_tracks": CollectionTracks(memory, collections),
        "database": memory,
    }
