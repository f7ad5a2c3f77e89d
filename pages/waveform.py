"""The waveform of a piece as the path of an SVG: one upright line for each of its parts."""

from __future__ import annotations

from hashlib import blake2b

PARTS = 96
HEIGHT = 32
_MIDDLE, _LEAST = HEIGHT / 2, 0.6


def path(levels: bytes) -> str:
    """The `d` of an SVG path, PARTS wide and HEIGHT high. `levels`: how loud each part is, from 0 to 255."""
    halves = [max(_LEAST, level / 255 * (_MIDDLE - 1)) for level in levels]
    return "".join(f"M{number}.5 {_MIDDLE - half:.1f}v{2 * half:.1f}" for number, half in enumerate(halves))


def drawn(seed: str) -> bytes:
    """Levels in the place of a waveform that is not known: the same for each seed, and swelling as music does."""
    noise = blake2b(seed.encode(), digest_size=PARTS // 2).digest() * 3
    smooth = [sum(noise[number : number + 8]) // 8 for number in range(PARTS)]
    return bytes(max(16, (3 * smooth[number] + noise[number]) // 4) for number in range(PARTS))
