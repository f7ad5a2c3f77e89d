"""The audio of the demo's tracks: pieces of the engines `studio` and `drift`, or tones, which cost nothing."""

import io
import math
import multiprocessing
import os
import signal
import threading
import wave
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from importlib.util import find_spec
from multiprocessing.connection import wait
from pathlib import Path
from tempfile import TemporaryDirectory

from models import tracks
from models.audio_store import AudioStore
from models.tracks import Track
from ops.demo import ORGANIZATION, PIECES, Piece

MOST_PROCESSES = 4
TONE_RATE = 8000
LOWEST_HERTZ = 220
SEED = 1
PACKAGES = ("numpy", "scipy", "soundfile")
Made = tuple[Piece, str, Path, bytes | None]
"""A piece, the media type of its audio, the file with it, and its waveform if that is measured."""


def add(kind: str, store: AudioStore, update: Callable[[int, int], None] = lambda _done, _total: None) -> str | None:
    """Gives the tracks of the demo the audio that they lack: `music`, `tone` or `none`.

    `update` is called with the number of tracks that are done, and of those that lacked audio. Returns why there is no
    music, or None. Raises Unavailable.
    """
    lacking = {} if kind == "none" else _lacking(store)
    if kind == "music" and lacking and (missing := [package for package in PACKAGES if not find_spec(package)]):
        return f"the engines need the package {missing[0]}; install music-studio[studio]"
    with TemporaryDirectory(prefix="music-studio-") as folder:
        make = _pieces if kind == "music" else _tones
        try:
            for done, made in enumerate(make(lacking, Path(folder)), start=1):
                piece, _, path, _ = made
                _attach(store, lacking[piece], made)
                path.unlink()
                update(done, len(lacking))
        except BrokenProcessPool:
            return "the engines were stopped, perhaps for lack of memory; the next start tries again"
    return None


def tone(hertz: int, seconds: int) -> bytes:
    """A WAV with a tone: mono, 8 bits, 8 kHz."""
    second = bytes(128 + round(48 * math.sin(2 * math.pi * hertz * index / TONE_RATE)) for index in range(TONE_RATE))
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setparams((1, 1, TONE_RATE, 0, "NONE", ""))
        file.writeframes(second * seconds)
    return content.getvalue()


def _lacking(store: AudioStore) -> dict[Piece, Track]:
    """The tracks of the demo that name no audio, or audio that is not in the store."""
    by_id = {track.id: track for track in tracks.list_all(ORGANIZATION)}
    found = {piece: by_id[piece.track_id] for piece in PIECES if piece.track_id in by_id}
    return {piece: track for piece, track in found.items() if not _has_audio(store, track)}


def _has_audio(store: AudioStore, track: Track) -> bool:
    return track.audio_name is not None and store.exists(track.audio_name)


def _attach(store: AudioStore, track: Track, made: Made) -> None:
    piece, mime_type, path, waveform = made
    audio = store.write_file(track.organization_id, track.id, mime_type, path)
    if tracks.attach_audio(track, audio, piece.seconds * 1000, waveform) is None:
        store.delete(audio.name)  # another command was faster


def _tones(wanted: Collection[Piece], folder: Path) -> Iterator[Made]:
    """A tone for each, of its own pitch and of the duration of the piece."""
    for piece in wanted:
        path = folder / f"{piece.track_id}.wav"
        path.write_bytes(tone(LOWEST_HERTZ + 20 * PIECES.index(piece), piece.seconds))
        yield piece, "audio/wav", path, None


def _pieces(wanted: Collection[Piece], folder: Path) -> Iterator[Made]:
    """Each piece by its engine, on all processors, the ones that are finished first. Raises BrokenProcessPool."""
    processes = min(MOST_PROCESSES, os.cpu_count() or 1, max(1, len(wanted)))
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context, initializer=_begin) as pool:
        pieces = {pool.submit(_render, piece, folder): piece for piece in wanted}
        try:
            for finished in as_completed(pieces):
                yield pieces[finished], "audio/mpeg", *finished.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _begin() -> None:
    """Prepares a process of the pool: Ctrl+C is for its parent, and it does not outlive its parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(5)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    if parent := multiprocessing.parent_process():
        wait([parent.sentinel])
        os._exit(1)


def _render(piece: Piece, folder: Path) -> tuple[Path, bytes]:
    from studio import brief
    from studio.engines.computed import ENGINES
    from studio.production import produce

    path = folder / f"{piece.track_id}.mp3"
    score = brief.read(piece.prompt, piece.seconds, mode=piece.mode, seed=SEED)
    made = produce(ENGINES[piece.engine], score, path, lambda _share: None, folder)
    return path, made.waveform
