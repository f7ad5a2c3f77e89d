"""`make dist`: the files of a release are all there, whole, and of one version."""

import json
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools.clients.generators import LANGUAGES
from tools.release.__main__ import RELEASE, SUMS
from tools.testing.service import ROOT
from web.contract import document

VERSION = document.document()["info"]["version"]
VIEWS = {"openapi.json", "openapi.client.json", "openapi.3.1.json"}
REQUESTS = {"music-studio.postman_collection.json", "music-studio.http"}
CLIENTS = {language: f"music-studio-client-{language}-{VERSION}" for language in LANGUAGES}
DOCS, MATERIALS = f"music-studio-docs-{VERSION}.tar.gz", "music-studio.cdx.json"


@pytest.fixture(scope="module")
def folder() -> Path:
    subprocess.run(["make", "--no-print-directory", "dist"], cwd=ROOT, check=True, capture_output=True)
    return RELEASE


def test_every_file_of_a_release_is_there_and_has_its_digest(folder: Path) -> None:
    archives = {f"{name}.tar.gz" for name in CLIENTS.values()}
    assert len(archives) == 9
    assert {file.name for file in folder.iterdir()} == {*VIEWS, *REQUESTS, *archives, DOCS, MATERIALS, SUMS}
    checked = subprocess.run(
        ["sha256sum", "--check", "--strict", SUMS], cwd=folder, check=True, capture_output=True, text=True
    )
    assert len(checked.stdout.splitlines()) == len(list(folder.iterdir())) - 1


def test_files_have_the_version_of_the_contract(folder: Path) -> None:
    versions = {
        json.loads((folder / name).read_text("utf-8"))["info"]["version"]
        for name in (*VIEWS, *REQUESTS)
        if name.endswith(".json")
    }
    assert versions == {VERSION}
    assert VERSION in (folder / "music-studio.http").read_text("utf-8").splitlines()[0]
    materials = json.loads((folder / MATERIALS).read_text("utf-8"))
    assert (materials["bomFormat"], materials["metadata"]["component"]["version"]) == ("CycloneDX", VERSION)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_client_has_its_readme_and_the_changelog(folder: Path, language: str) -> None:
    name = CLIENTS[language]
    names = set(_names(folder / f"{name}.tar.gz"))
    assert {f"{name}/README.md", f"{name}/CHANGELOG.md"} <= names
    assert len(names) > 6


def test_documentation_is_a_site_with_a_front(folder: Path) -> None:
    names = set(_names(folder / DOCS))
    assert {"docs/index.html", "docs/404.html", "docs/llms.txt", "docs/sitemap.xml"} <= names
    assert len(names) > 150


def _names(archive: Path) -> Iterator[str]:
    with tarfile.open(archive) as opened:
        yield from opened.getnames()
