"""The wheel: one top-level package with everything in it, and a command that works outside the checkout."""

import json
import os
import re
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from settings import ROOT

pytestmark = pytest.mark.slow

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
DIST_INFO = f"music_studio-{PROJECT['version']}.dist-info"
COPIED = re.compile(r"^COPY (?!--from)(?!requirements\.lock)(.+) \S+$", re.MULTILINE)
# Environment without the checkout on the path.
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith(("MUSIC_STUDIO_", "PYTHON"))} | {
    "MUSIC_STUDIO_DEMO_AUDIO": "tone"
}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    options = ("--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--disable-pip-version-check")
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options, "-w", str(folder), str(ROOT)], check=True)
    [built] = folder.iterdir()
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command in a new virtual environment, with the dependencies of the test environment."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, symlinks=True)
    [packages] = folder.glob("lib/python*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    options = ("--quiet", "--no-deps", "--no-index", "--disable-pip-version-check", "--ignore-installed")
    target = ("--python", str(folder / "bin" / "python"))
    subprocess.run([sys.executable, "-m", "pip", *target, "install", *options, str(wheel)], check=True, env=CLEAN)
    ours = {entry.name for entry in packages.iterdir()} - {"dependencies.pth"}
    assert ours == {"music_studio", DIST_INFO}
    return folder / "bin" / "music-studio"


def test_wheel_has_one_top_level_package(wheel: Path) -> None:
    assert {name.partition("/")[0] for name in _names(wheel)} == {"music_studio", DIST_INFO}


def test_wheel_contains_everything_in_the_image(wheel: Path) -> None:
    names = _names(wheel)
    copied = COPIED.findall((ROOT / "deploy" / "Containerfile").read_text(encoding="utf-8"))
    wanted = {word for words in copied for word in words.split()}
    assert {"app.py", "cli", "openapi"} <= wanted
    missing = [word for word in wanted if not any(name.startswith(f"music_studio/{word}") for name in names)]
    assert not missing, "deploy/Containerfile copies what [tool.hatch.build] in pyproject.toml leaves out"
    files = (
        "openapi/openapi.yaml",
        "generated/contract.json",
        "docsite/static/scalar.js",
        "models/migrations/versions/0001_first_tables.py",
    )
    assert {f"music_studio/{file}" for file in files} <= names
    assert not [name for name in names if "/tests/" in name or "__pycache__" in name]


def test_the_command_works_in_any_folder(installed: Path, tmp_path: Path) -> None:
    assert _run(installed, tmp_path, "--version") == f"music-studio {PROJECT['version']}\n"
    assert _run(installed, tmp_path, "keys", "-h").startswith("Usage: music-studio keys ")
    assert json.loads(_run(installed, tmp_path, "migrate", "--json"))["revision"]
    assert json.loads(_run(installed, tmp_path, "keys", "list", "--json")) == []
    _run(installed, tmp_path, "keys", "create", "--organization", "org_real", "--user", "ida")
    assert sorted(file.name for file in (tmp_path / "var").iterdir()) == ["key-pepper", "music-studio.db"]


def test_installed_mock_serves_contract_and_docs(installed: Path, tmp_path: Path) -> None:
    with _serving(installed, tmp_path, "mock") as url, httpx.Client(base_url=url, trust_env=False) as client:
        document = client.get("/v1/openapi.json").json()
        assert document["info"]["version"] == PROJECT["version"]
        assert client.get("/docs").status_code == 200
    assert not list(tmp_path.iterdir())


def test_the_service_starts_its_worker_processes(installed: Path, tmp_path: Path) -> None:
    with _serving(installed, tmp_path, "up", "--workers", "2") as url:
        assert httpx.get(f"{url}/v1/health/ready", trust_env=False).status_code == 200


def _names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def _run(command: Path, folder: Path, *words: str) -> str:
    done = subprocess.run([command, *words], cwd=folder, env=CLEAN, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextmanager
def _serving(command: Path, folder: Path, *words: str) -> Iterator[str]:
    """The URL of a running server, which must then exit with status 0."""
    environ = CLEAN | {"MUSIC_STUDIO_LOG_LEVEL": "error"}
    with subprocess.Popen(
        [command, *words, "--port", "0"], cwd=folder, env=environ, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield _address(process)
        finally:
            process.terminate()
            process.communicate(timeout=30)
    assert process.returncode == 0


def _address(process: subprocess.Popen[str]) -> str:
    output = ""
    for line in process.stderr or ():
        output += line
        if found := re.search(r"listens on (http://\S+)", line):
            return found[1]
    raise AssertionError(f"The server did not start:\n{output}")
