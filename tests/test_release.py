"""The parts of `make dist`: the same bytes for the same files, and digests that others can check."""

import subprocess
from pathlib import Path

import pytest

from tools.release import __main__ as release
from tools.release import archive
from web.contract import document
from web.contract.views import Contract


def test_two_runs_write_the_same_bytes(tmp_path: Path) -> None:
    written = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        release.write_views(folder)
        release.write_requests(folder)
        release.write_sums(folder)
        written.append({file.name: file.read_bytes() for file in folder.iterdir()})
    assert written[0] == written[1]
    assert written[0]["openapi.json"] == Contract(document.document()).published("strict").body
    assert len(written[0]) == 6


def test_an_archive_depends_on_names_and_contents_only(tmp_path: Path) -> None:
    archives = []
    for name, order in (("one", ("b.txt", "a/c.txt")), ("two", ("a/c.txt", "b.txt"))):
        for file in order:
            target = tmp_path / name / file
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(file, encoding="utf-8")
            target.chmod(0o600 if name == "one" else 0o664)
        archive.write(tmp_path / name, tmp_path / f"{name}.tar.gz", "client")
        archives.append((tmp_path / f"{name}.tar.gz").read_bytes())
    assert archives[0] == archives[1]
    listed = subprocess.run(["tar", "-tzf", tmp_path / "one.tar.gz"], capture_output=True, text=True, check=True)
    assert listed.stdout.splitlines() == ["client/a/c.txt", "client/b.txt"]


def test_the_digests_are_those_of_the_files(tmp_path: Path) -> None:
    release.write_views(tmp_path)
    release.write_sums(tmp_path)
    check = ["sha256sum", "--check", "--strict", release.SUMS]
    subprocess.run(check, cwd=tmp_path, check=True, capture_output=True)
    with (tmp_path / "openapi.json").open("ab") as file:
        file.write(b" ")
    assert subprocess.run(check, cwd=tmp_path, check=False, capture_output=True).returncode == 1


def test_a_part_that_fails_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(folder: Path) -> None:
        raise subprocess.CalledProcessError(2, ["make", "clients"])

    monkeypatch.setattr(release, "RELEASE", tmp_path / "release")
    monkeypatch.setattr(release, "PARTS", {"the clients": fail})
    with pytest.raises(SystemExit, match=r"make dist: the part 'the clients' failed: make clients: 2"):
        release.main()
    assert capsys.readouterr().out == "[1/1] the clients\n"
