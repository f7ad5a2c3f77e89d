"""The picture of a piece: each role has a colour of its own in the piano roll."""

import numpy as np
import pytest
from PIL import Image

from studio import brief, picture
from studio.engines.computed import ENGINES
from studio.synthesis import RATE

SECONDS = 20
HUES = {"melody": (0, 20), "harmony": (200, 232), "bass": (268, 295), "drums": (22, 50)}


@pytest.fixture(scope="module")
def hues(tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    """The hues from 0 to 359 of what is coloured in the piano roll of a piece with four roles."""
    path = tmp_path_factory.mktemp("picture") / "piece.png"
    score = ENGINES["studio"].compose(brief.read("rock guitar with drums", SECONDS))
    assert {voice.role for voice in score.voices} == set(HUES)
    # Noise that fades has every shade of the spectrogram, so few colours are left for the notes.
    noise = (
        np.random.default_rng(1).normal(0, 0.1, (SECONDS * RATE, 2)) * np.geomspace(1, 1e-5, SECONDS * RATE)[:, None]
    )
    picture.draw(score, noise.astype(np.float32), path)
    with Image.open(path) as image:
        roll = np.asarray(image.convert("HSV"), dtype=int)[-picture.ROLL_HEIGHT :]
    return roll[roll[..., 1] > 90][:, 0] * 360 // 256


@pytest.mark.parametrize("role", HUES)
def test_each_role_is_seen_in_its_colour(hues: np.ndarray, role: str) -> None:
    low, high = HUES[role]
    assert ((low <= hues) & (hues <= high)).sum() > 100
