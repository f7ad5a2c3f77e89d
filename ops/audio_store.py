"""Opens the audio store for a command."""

from models.audio_store import AudioStore
from models.exceptions import AudioUnavailable
from ops.errors import CommandError


def open_store(url: str) -> AudioStore:
    """The store, which has just taken a probe and given it back. Raises CommandError."""
    try:
        store = AudioStore(url)
        store.require_writable()
    except AudioUnavailable as error:
        raise CommandError(f"The audio store cannot be used: {error.reason.rstrip('.')}.") from error
    return store
