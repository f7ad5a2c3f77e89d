"""Secrets and files: weak or public secrets end the start, the pepper is made once, and new files are private."""

import json
import os
import resource
import socket
import stat
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import httpx
import pytest
from joserfc.jwk import ECKey, KeySet, OctKey, OKPKey, RSAKey

import app
import settings
from ops import key_pepper, secret_file
from ops.errors import CommandError
from settings import Settings
from tools.testing.cli_runner import Shell

RSA = RSAKey.generate_key(2048)
EC = ECKey.generate_key("P-256")
STRONG = "5" * 64


def _refusal(**given: str) -> str:
    with pytest.raises(settings.BadSetting) as refused:
        settings.load({f"MUSIC_STUDIO_{name}": value for name, value in given.items()})
    return str(refused.value)


@pytest.fixture
def key_set(tmp_path: Path) -> Path:
    return _write(tmp_path, KeySet([RSA, EC]).as_dict(private=False))


def _write(folder: Path, document: Any) -> Path:
    file = folder / "jwks.json"
    file.write_text(document if isinstance(document, str) else json.dumps(document), encoding="utf-8")
    file.chmod(0o644)
    return file


@pytest.mark.parametrize("algorithms", ["none", "HS256,none", "none HS256", "NONE", "HS257", "hs256", "A128KW", "dir"])
def test_unknown_jwt_algorithms_are_refused(algorithms: str, key_set: Path) -> None:
    expected = f"MUSIC_STUDIO_JWT_ALGORITHMS is '{algorithms}'; it must be some of HS256, "
    assert _refusal(JWT_ALGORITHMS=algorithms, JWT_SECRET=STRONG).startswith(expected)
    assert _refusal(JWT_ALGORITHMS=algorithms, JWT_JWKS_FILE=str(key_set)).startswith(expected)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"JWT_ALGORITHMS": "HS256"}, "JWT_ALGORITHMS needs JWT_SECRET or JWT_JWKS_FILE"),
        ({"JWT_ALGORITHMS": "RS256"}, "JWT_ALGORITHMS needs JWT_SECRET or JWT_JWKS_FILE"),
        ({"JWT_ALGORITHMS": "HS256 RS256", "JWT_SECRET": STRONG}, "has RS256, which needs JWT_JWKS_FILE"),
        ({"JWT_ALGORITHMS": "ES256", "JWT_SECRET": STRONG}, "has ES256, which needs JWT_JWKS_FILE"),
        ({"JWT_SECRET": "5" * 31}, "JWT_SECRET is not shown; it must be a secret of at least 32 bytes"),
        ({"JWT_SECRET": "5" * 47, "JWT_ALGORITHMS": "HS256 HS384"}, "must have at least 48 bytes for HS384"),
        ({"JWT_SECRET": "5" * 63, "JWT_ALGORITHMS": "HS512"}, "must have at least 64 bytes for HS512"),
        ({"JWT_JWKS_FILE": "/nowhere.json"}, "JWT_JWKS_FILE cannot be read: No such file or directory"),
        ({"JWT_JWKS_FILE": "/"}, "JWT_JWKS_FILE cannot be read: Is a directory"),
        ({"KEY_PEPPER": "5" * 31}, "KEY_PEPPER is not shown; it must be a secret of at least 32 bytes"),
    ],
)
def test_keys_that_verify_nothing_or_too_much_are_refused(given: dict[str, str], message: str) -> None:
    refusal = _refusal(**given)
    assert refusal.startswith("MUSIC_STUDIO_")
    assert message in refusal
    assert "5555" not in refusal


def test_a_key_set_and_its_algorithms_must_fit(key_set: Path) -> None:
    file = str(key_set)
    assert "HS256 of JWT_ALGORITHMS needs JWT_SECRET" in _refusal(JWT_JWKS_FILE=file, JWT_ALGORITHMS="RS256 HS256")
    assert "none of its keys is for Ed25519" in _refusal(JWT_JWKS_FILE=file, JWT_ALGORITHMS="Ed25519")
    assert "JWT_SECRET is set together with JWT_JWKS_FILE" in _refusal(JWT_JWKS_FILE=file, JWT_SECRET=STRONG)
    assert settings.load({"MUSIC_STUDIO_JWT_JWKS_FILE": file}).jwt_jwks_file == file


WEAK: dict[str, Callable[[], Any]] = {
    "malformed": lambda: "{",
    "no text": lambda: "\udcff",
    "no object": list,
    "without keys": lambda: {"keys": []},
    "with something else for keys": lambda: {"keys": 5},
    "with unknown keys only": lambda: {"keys": [{"kty": "XX"}]},
    "with a key without a modulus": lambda: {"keys": [{"kty": "RSA"}]},
    "with a point that is not on the curve": lambda: {"keys": [{"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}]},
    "with a private RSA key": lambda: KeySet([EC, RSA]).as_dict(private=True),
    "with a private EC key": lambda: {"keys": [EC.as_dict(private=True)]},
    "with a private Ed25519 key": lambda: {"keys": [OKPKey.generate_key("Ed25519").as_dict(private=True)]},
    "with a secret": lambda: {"keys": [OctKey.generate_key(256).as_dict()]},
    "with a short RSA key": lambda: {"keys": [RSAKey.generate_key(1024).as_dict(private=False)]},
}


@pytest.mark.parametrize("kind", WEAK)
@pytest.mark.filterwarnings("ignore:Key size should be")
def test_a_key_set_that_is_none_is_refused(tmp_path: Path, kind: str) -> None:
    document = WEAK[kind]()
    file = tmp_path / "jwks.json"
    file.write_bytes(
        (document if isinstance(document, str) else json.dumps(document)).encode("utf-8", "surrogateescape")
    )
    refusal = _refusal(JWT_JWKS_FILE=str(file))
    assert refusal.startswith("MUSIC_STUDIO_JWT_JWKS_FILE names no JWK set of public keys: ")
    assert "\n" not in refusal


def test_a_key_set_that_everybody_can_write_is_refused(key_set: Path) -> None:
    key_set.chmod(0o646)
    assert "everybody can write to it" in _refusal(JWT_JWKS_FILE=str(key_set))


def test_the_application_refuses_the_same(tmp_path: Path) -> None:
    """Settings that no environment has passed through are checked too."""
    url = f"sqlite:///{tmp_path / 'music.db'}"
    for given in ({"jwt_secret": "short"}, {"jwt_secret": STRONG, "jwt_algorithms": ("none",)}):
        with pytest.raises(settings.BadSetting, match="MUSIC_STUDIO_JWT_"):
            app.create_app(Settings(database_url=url, key_pepper=STRONG, **given))


def test_a_server_with_a_bad_secret_ends_with_one_sentence(sqlite: Shell) -> None:
    sqlite.text("migrate")
    (sqlite.folder / "key-pepper").touch(mode=0o600)
    for workers in ("1", "2"):
        words = ("serve", "--port", "0", "--workers", workers)
        none = sqlite.error(*words, MUSIC_STUDIO_JWT_ALGORITHMS="none", MUSIC_STUDIO_JWT_SECRET=STRONG)
        assert "MUSIC_STUDIO_JWT_ALGORITHMS is 'none'; it must be some of HS256" in none
        assert "MUSIC_STUDIO_JWT_SECRET is not shown" in sqlite.error(*words, MUSIC_STUDIO_JWT_SECRET="short")
        assert "MUSIC_STUDIO_KEY_PEPPER is not shown" in sqlite.error(*words, MUSIC_STUDIO_KEY_PEPPER="short")
        assert "has 0 bytes of at least 32" in sqlite.error(*words, MUSIC_STUDIO_KEY_PEPPER="")
        nowhere = {"MUSIC_STUDIO_KEY_PEPPER": "", "MUSIC_STUDIO_KEY_PEPPER_FILE": "/nowhere/pepper"}
        assert "Cannot use /nowhere/pepper: No such file or directory." in sqlite.error(*words, **nowhere)
    create = ("keys", "create", "--organization", "org_real", "--user", "ida")
    assert "has 0 bytes of at least 32" in sqlite.error(*create, MUSIC_STUDIO_KEY_PEPPER="")
    assert sqlite.json("keys", "list") == []


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_private_pepper_file_is_read(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "pepper"
    file.write_text(f"{STRONG}\n")
    file.chmod(mode)
    assert key_pepper.load("", str(file), tmp_path) == STRONG.encode()


@pytest.mark.parametrize("mode", [0o644, 0o666, 0o640, 0o660, 0o604, 0o602, 0o620, 0o444, 0o601])
def test_a_pepper_file_that_others_may_use_is_refused(tmp_path: Path, mode: int) -> None:
    for file, setting in ((tmp_path / "pepper", True), (tmp_path / "key-pepper", False)):
        file.write_text(STRONG)
        file.chmod(mode)
        with pytest.raises(CommandError, match=f"has mode 0{mode:o}, so others can read or change it: .* mode 0600"):
            key_pepper.load("", str(file) if setting else "", tmp_path)


@pytest.mark.parametrize(("mode", "accepted"), [(0o440, True), (0o640, True), (0o444, False), (0o660, False)])
def test_a_file_of_another_owner_may_be_readable_by_the_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int, accepted: bool
) -> None:
    file = tmp_path / "pepper"
    file.write_text(STRONG)
    file.chmod(mode)
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    if accepted:
        assert secret_file.read(file) == STRONG.encode()
        return
    with pytest.raises(CommandError, match="mode 0440, with the service's group"):
        secret_file.read(file)


@pytest.mark.parametrize("content", ["", " \n", "5" * 31, f"{'5' * 31}\n"])
def test_a_short_pepper_is_refused(tmp_path: Path, content: str) -> None:
    for file, setting in ((tmp_path / "pepper", True), (tmp_path / "key-pepper", False)):
        file.touch(mode=0o600)
        file.write_text(content if setting else content.strip())
        with pytest.raises(CommandError, match=r"bytes of at least 32: put back the right one, or replace it"):
            key_pepper.load("", str(file) if setting else "", tmp_path)


def test_a_secret_must_be_a_regular_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    for file in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(CommandError, match="is no regular file"):
            key_pepper.load("", str(file), tmp_path)


def test_concurrent_first_starts_agree_on_one_pepper(tmp_path: Path) -> None:
    barrier = Barrier(16)

    def start(folder: Path) -> bytes:
        barrier.wait()
        return key_pepper.load("", "", folder)

    for folder in (tmp_path / str(number) for number in range(30)):
        with ThreadPoolExecutor(16) as threads:
            [pepper] = set(threads.map(start, [folder] * 16))
        assert len(pepper) == 64
        assert [file.name for file in folder.iterdir()] == ["key-pepper"]
        assert stat.S_IMODE((folder / "key-pepper").stat().st_mode) == 0o600


def test_a_full_disk_leaves_no_pepper(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (32, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            key_pepper.load("", "", tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == []
    assert len(key_pepper.load("", "", tmp_path)) == 64


def test_a_pepper_of_an_earlier_version_stays_valid(tmp_path: Path) -> None:
    (tmp_path / "key-pepper").touch(mode=0o600)
    (tmp_path / "key-pepper").write_text("0123456789abcdef" * 4)
    assert key_pepper.load("", "", tmp_path) == b"0123456789abcdef" * 4


@pytest.mark.slow
def test_whatever_the_umask_new_files_are_private(sqlite: Shell) -> None:
    """Every file that the service and the commands make, in a folder that they make."""
    folder = sqlite.folder / "made" / "deep"
    sqlite.environ |= {
        "MUSIC_STUDIO_DATABASE_URL": f"sqlite:///{folder / 'music.db'}",
        "MUSIC_STUDIO_KEY_PEPPER": "",
        "MUSIC_STUDIO_METRICS_PORT": str(_free_port()),
        "TMPDIR": str(sqlite.folder / "made" / "deep"),
    }
    before = os.umask(0)
    try:
        _started(sqlite, "migrate")
        with sqlite.serving("up", "--port", "0") as (url, _):
            key = json.loads((folder / "demo-keys.json").read_text())["users"]["alice"]["api_key"]
            made = httpx.post(
                f"{url}/v1/music/org_abc123/collections",
                json={"name": "a"},
                headers={"X-API-Key": key},
                trust_env=False,
            )
            assert made.status_code == 201
            _started(sqlite, "backup", str(folder / "copy.db"))
            who = ("--organization", "org_abc123", "--user", "user_alice")
            _started(sqlite, "keys", "create", *who, "--output", str(folder / "key"))
            modes = dict(_modes(folder.parent))
        _started(sqlite, "restore", str(folder / "copy.db"), "--force")
        modes |= dict(_modes(folder.parent))
    finally:
        os.umask(before)
    names = {file.name for file in modes}
    assert names >= {
        "music.db",
        "music.db-wal",
        "music.db-shm",
        "key-pepper",
        "demo-keys.json",
        "copy.db",
        "key",
        "deep",
    }
    assert any(file.suffix == ".json" and file.stem.isdigit() for file in modes), "the metrics of a worker"
    assert {str(file): oct(mode) for file, mode in modes.items() if mode & 0o077} == {}


def _started(shell: Shell, *words: str) -> None:
    done = shell.start(*words)
    assert done.returncode == 0, done.stderr


def _modes(folder: Path) -> Iterator[tuple[Path, int]]:
    for file in (folder, *folder.rglob("*")):
        yield file, stat.S_IMODE(file.stat().st_mode)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as one:
        port: int = one.getsockname()[1]
    return port
