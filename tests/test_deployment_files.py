"""Deployment files: compose, image, settings and lock files match this version."""

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

ROOT = Path(__file__).resolve().parents[1]
DEPLOY = ROOT / "deploy"


@pytest.fixture
def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    return found


def test_compose_images_are_variables_with_a_digest(compose: dict[str, Any]) -> None:
    services = compose["services"]
    for service in services.values():
        named = service["build"]["args"]["BASE"] if "build" in service else service["image"]
        assert re.fullmatch(r"\$\{[A-Z_]+:\?name the image with its digest in \.env\}", named)
    example = (DEPLOY / "environment.example").read_text(encoding="utf-8")
    asked = re.findall(r"\$\{([A-Z_]+)", (DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    assert {*asked} == {*re.findall(r"^([A-Z_]+)=", example, re.MULTILINE)}
    images = re.findall(r"^(?:BASE|.*_IMAGE)=(.*)$", example, re.MULTILINE)
    assert all(image.endswith("@sha256:") for image in images), "the operator fills in the digest"


def test_compose_services_are_read_only_and_unprivileged(compose: dict[str, Any]) -> None:
    for name in ("migrate", "api", "quotas"):
        service = compose["services"][name]
        assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
        assert service["security_opt"] == ["no-new-privileges"]


@pytest.mark.parametrize("file", ["compose.yaml", "Containerfile", "environment.systemd", "nginx/music-studio.conf"])
def test_every_named_setting_exists(file: str) -> None:
    known = {settings.PREFIX + field.name.upper() for field in fields(settings.Settings)}
    named = set(re.findall(r"MUSIC_STUDIO_[A-Z_]+[A-Z]", (DEPLOY / file).read_text(encoding="utf-8")))
    assert named <= known
    assert named


def test_image_contains_every_imported_package() -> None:
    copied = re.findall(r"^COPY (?!--)(.+) \S+$", (DEPLOY / "Containerfile").read_text(encoding="utf-8"), re.MULTILINE)
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
    """Top-level names of all imports of a module, also inside functions."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]


def test_lock_files_are_reproducible(tmp_path: Path) -> None:
    # Starts from the present locks, as `make lock` does, so that new releases change nothing.
    compile_again = [
        str(Path(sys.executable).with_name("uv")), "pip", "compile", "pyproject.toml", "--universal",
        "--generate-hashes", "--no-header", "--quiet",
    ]  # fmt: skip
    for lock, more in (
        ("requirements.lock", ("--extra", "studio")),
        (
            "requirements-dev.lock",
            ("--extra", "studio", "--extra", "audio", "--group", "dev", "-c", "requirements.lock"),
        ),
    ):
        fresh = tmp_path / lock
        shutil.copy(ROOT / lock, fresh)
        subprocess.run([*compile_again, *more, "-o", str(fresh)], cwd=ROOT, check=True)
        assert fresh.read_text(encoding="utf-8") == (ROOT / lock).read_text(encoding="utf-8")
