"""The systemd unit: systemd accepts it, and it is hardened."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
INSTALL_PATH = "/opt/music-studio"
# Exposure level of systemd-analyze, in tenths, from 0 (hardened) to 100; services of distributions have 90 and more.
MAX_EXPOSURE = 15


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit with the path of this checkout, because systemd checks that the program exists."""
    made = tmp_path / "music-studio.service"
    text = (DEPLOY / "music-studio.service").read_text(encoding="utf-8")
    assert INSTALL_PATH in text
    made.write_text(text.replace(INSTALL_PATH, str(ROOT)), encoding="utf-8")
    return made


def test_systemd_unit_verifies(unit: Path) -> None:
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_systemd_unit_is_hardened(unit: Path) -> None:
    words = ("security", "--offline=true", f"--threshold={MAX_EXPOSURE}", "--no-pager")
    done = subprocess.run(["systemd-analyze", *words, str(unit)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
