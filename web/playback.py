"""Addresses of audio for players."""

from models.track_queries import Track


def url(track: Track) -> str | None:
    """The address at which the track can be played for a short time; None if it has no audio."""
    if track.audio_name is None:
        return None
    raise NotImplementedError("Audio cannot be played yet.")
