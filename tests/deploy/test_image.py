"""Container image: built from the Containerfile without a registry, runs unprivileged on a read-only filesystem."""

import os
import signal
import stat
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from tools.deploy.image import CONTAINERFILE, Builder, Image
from tools.deploy.nginx import free_port
from tools.testing.cli_runner import get

USER = 65532
LIST = "/v1/music/org_real/collections"


@pytest.fixture(scope="module")
def builder(tmp_path_factory: pytest.TempPathFactory) -> Builder:
    return Builder(tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="module")
def base(builder: Builder) -> str:
    return builder.base()


@pytest.fixture(scope="module")
def image(builder: Builder, base: str) -> Iterator[Image]:
    done = builder.build(base)
    assert done.returncode == 0, done.stdout + done.stderr
    yield builder.image()
    builder.run("rm", "--all")


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    made = tmp_path / "volume"
    made.mkdir(mode=0o700)
    os.chown(made, USER, USER)
    return made


def test_base_image_without_digest_is_rejected(builder: Builder, base: str) -> None:
    done = builder.build(base.partition("@")[0])
    assert done.returncode != 0
    assert "BASE must end with the image's digest" in done.stdout + done.stderr
    assert builder.build(None).returncode != 0


def test_image_config_has_user_port_healthcheck_and_entrypoint(image: Image) -> None:
    assert image.config["User"] == f"{USER}:{USER}"
    assert image.config["StopSignal"] == "SIGTERM"
    assert list(image.config["ExposedPorts"]) == ["8080/tcp"]
    assert image.config["Healthcheck"]["Test"] == ["CMD", ".venv/bin/python", "-m", "cli", "health"]
    assert [*image.config["Entrypoint"], *image.config["Cmd"]] == [".venv/bin/python", "-m", "cli", "serve"]


def test_image_contains_only_copied_read_only_files(image: Image) -> None:
    home = image.root / image.config["WorkingDir"].lstrip("/")
    copied = {name for line in CONTAINERFILE.read_text().splitlines() if line.startswith("COPY ") and "--" not in line
              for name in line.split()[1:-1]}  # fmt: skip
    assert {found.name for found in home.iterdir()} - {"__pycache__"} == copied | {".venv"}
    assert not [found for found in home.rglob("*") if _is_writable(found)]


def test_container_serves_on_read_only_filesystem_and_stops_on_sigterm(image: Image, volume: Path) -> None:
    variables = {"MUSIC_STUDIO_PORT": str(free_port()), "MUSIC_STUDIO_HOST": "127.0.0.1"}
    entry, health = image.config["Entrypoint"], image.config["Healthcheck"]["Test"][1:]
    assert image.run([*entry, "migrate"], volume, **variables) == (0, "The database is up to date.\n")
    who = ("--organization", "org_real", "--user", "ida")
    status, output = image.run([*entry, "keys", "create", *who, "--output", "/tmp/key"], volume, **variables)  # noqa: S108
    assert status == 0, output
    status, output = image.run([*entry, "keys", "create", *who, "--json"], volume, **variables)
    assert status == 0, output
    secret = output.partition('"api_key": "')[2].partition('"')[0]
    assert image.run(health, volume, **variables)[0] == 1
    with _served(image, volume, variables) as (url, process):
        for words, sentence in ((health, "is alive."), ([*health, "--ready"], "is ready.")):
            status, output = image.run(words, volume, **variables)
            assert (status, output.strip().endswith(sentence)) == (0, True), output
        for path in (LIST, "/docs", "/docs/api-reference/music/changelog", "/v1/openapi.json"):
            assert get(url + path, secret).status_code == 200, path
        made = httpx.post(url + LIST, headers={"X-API-Key": secret}, json={"name": "A"}, timeout=30, trust_env=False)
        assert made.status_code == 201
        rights = {"Uid": {str(USER)}, "CapEff": {"0" * 16}, "CapBnd": {"0" * 16}, "NoNewPrivs": {"1"}}
        assert _process_rights(process.pid) == rights
    assert {found.name for found in volume.iterdir()} >= {"music-studio.db", "key-pepper"}
    check = "import os; print(os.statvfs('.').f_flag & os.ST_RDONLY)"
    assert image.run([entry[0], "-c", check], volume) == (0, f"{os.ST_RDONLY}\n")


def _is_writable(file: Path) -> bool:
    """Whether a user other than root can write to the file."""
    found = file.lstat()
    return found.st_uid == USER or (not stat.S_ISLNK(found.st_mode) and bool(found.st_mode & 0o022))


@contextmanager
def _served(image: Image, volume: Path, variables: dict[str, str]) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """URL and process of the running container, which must then exit with status 0 on SIGTERM."""
    process = image.start([*image.config["Entrypoint"], *image.config["Cmd"]], volume, **variables)
    try:
        url = f"http://127.0.0.1:{variables['MUSIC_STUDIO_PORT']}"
        _await_live(url, process)
        yield url, process
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=60)
        assert process.returncode == 0, output
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


def _await_live(url: str, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(httpx.TransportError):
            if httpx.get(f"{url}/v1/health/live", timeout=5, trust_env=False).status_code == 200:
                return
        time.sleep(0.1)
    process.kill()
    pytest.fail(f"the service did not start:\n{process.communicate()[0]}")


def _process_rights(pid: int) -> dict[str, set[str]]:
    """User and capabilities of the process, from /proc."""
    lines = [line.split() for line in Path(f"/proc/{pid}/status").read_text().splitlines()]
    wanted = ("Uid:", "CapEff:", "CapBnd:", "NoNewPrivs:")
    return {name.rstrip(":"): {*values} for name, *values in lines if name in wanted}
