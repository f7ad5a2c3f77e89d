"""The compose file, the unit and the locks say what is true of this version."""

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml

import settings

ROOT = Path(__file__).resolve().parents[2]
HERE = ROOT / "deploy"
PLACE = "/opt/music-studio"
# systemd's own measure, from 0, shut, to 100; the services of a distribution have 90 and more.
MAX_EXPOSED = 15


@pytest.fixture
def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((HERE / "compose.yaml").read_text(encoding="utf-8"))
    return found


def test_every_image_is_named_by_who_starts_it_with_its_digest(compose: dict[str, Any]) -> None:
    services = compose["services"]
    for service in services.values():
        named = service["build"]["args"]["BASE"] if "build" in service else service["image"]
        assert re.fullmatch(r"\$\{[A-Z_]+:\?name the image with its digest in \.env\}", named)
    example = (HERE / "environment.example").read_text(encoding="utf-8")
    asked = re.findall(r"\$\{([A-Z_]+)", (HERE / "compose.yaml").read_text(encoding="utf-8"))
    assert {*asked} == {*re.findall(r"^([A-Z_]+)=", example, re.MULTILINE)}
    images = re.findall(r"^(?:BASE|.*_IMAGE)=(.*)$", example, re.MULTILINE)
    assert all(image.endswith("@sha256:") for image in images), "a digest is looked up by who builds, never guessed"


def test_what_compose_starts_of_ours_can_write_nothing_and_has_no_rights(compose: dict[str, Any]) -> None:
    for name in ("migrate", "api", "quotas"):
        service = compose["services"][name]
        assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
        assert service["security_opt"] == ["no-new-privileges"]


@pytest.mark.parametrize("file", ["compose.yaml", "Containerfile", "environment.systemd", "nginx/music-studio.conf"])
def test_every_setting_that_is_named_exists(file: str) -> None:
    known = {settings.PREFIX + field.name.upper() for field in fields(settings.Settings)}
    named = set(re.findall(r"MUSIC_STUDIO_[A-Z_]+[A-Z]", (HERE / file).read_text(encoding="utf-8")))
    assert named <= known
    assert named


def test_the_image_holds_every_room_that_a_room_of_it_imports() -> None:
    copied = re.findall(r"^COPY (?!--)(.+) \S+$", (HERE / "Containerfile").read_text(encoding="utf-8"), re.MULTILINE)
    names = {name for line in copied for name in line.split()}
    files = [
        file for name in names for file in ([ROOT / name] if name.endswith(".py") else (ROOT / name).rglob("*.py"))
    ]
    ours = {file.stem for file in ROOT.glob("*.py")} | {file.parent.name for file in ROOT.glob("*/__init__.py")}
    wanted = {name for file in files for name in _imported(file)} & ours
    assert wanted <= {name.removesuffix(".py") for name in names}
    sent = re.findall("^!(.+)$", (ROOT / ".dockerignore").read_text(encoding="utf-8"), re.MULTILINE)
    assert {*sent} == names


def _imported(file: Path) -> Iterator[str]:
    """The first word of everything that a module imports, also inside its functions."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit, with the place of this tree in it: systemd looks whether the program is there."""
    made = tmp_path / "music-studio.service"
    text = (HERE / "music-studio.service").read_text(encoding="utf-8")
    assert PLACE in text
    made.write_text(text.replace(PLACE, str(ROOT)), encoding="utf-8")
    return made


def test_systemd_finds_no_fault_in_the_unit(unit: Path) -> None:
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_systemd_finds_the_unit_hardened(unit: Path) -> None:
    words = ("security", "--offline=true", f"--threshold={MAX_EXPOSED}", "--no-pager")
    done = subprocess.run(["systemd-analyze", *words, str(unit)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_resolving_anew_gives_the_same_locks(tmp_path: Path) -> None:
    # With the present locks as a start, as `make lock` has them: a release of today is no reason for a change.
    compile_again = [
        str(Path(sys.executable).with_name("uv")), "pip", "compile", "pyproject.toml", "--universal",
        "--generate-hashes", "--no-header", "--quiet",
    ]  # fmt: skip
    for lock, more in (
        ("requirements.lock", ()),
        ("requirements-dev.lock", ("--group", "dev", "-c", "requirements.lock")),
    ):
        fresh = tmp_path / lock
        shutil.copy(ROOT / lock, fresh)
        subprocess.run([*compile_again, *more, "-o", str(fresh)], cwd=ROOT, check=True)
        assert fresh.read_text(encoding="utf-8") == (ROOT / lock).read_text(encoding="utf-8")
