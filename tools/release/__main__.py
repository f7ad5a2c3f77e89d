"""Writes what others take from a release into dist/release: `make dist`."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tools.clients.generators import LANGUAGES
from tools.release import archive, requests
from web.contract import document
from web.contract.views import Contract

ROOT = Path(__file__).parents[2]
RELEASE = ROOT / "dist" / "release"
VIEWS = {"openapi.json": "strict", "openapi.client.json": "client", "openapi.3.1.json": "3.1"}
SUMS = "SHA256SUMS"
Part = Callable[[Path], None]


def main() -> None:
    started = time.monotonic()
    shutil.rmtree(RELEASE, ignore_errors=True)
    RELEASE.mkdir(parents=True)
    for number, (name, write) in enumerate(PARTS.items(), start=1):
        print(f"[{number}/{len(PARTS)}] {name}", flush=True)
        try:
            write(RELEASE)
        except subprocess.CalledProcessError as failure:
            sys.exit(f"make dist: the part '{name}' failed: {' '.join(map(str, failure.cmd))}: {failure.returncode}")
        except OSError as failure:
            sys.exit(f"make dist: the part '{name}' failed: {failure}")
    count = sum(1 for _ in RELEASE.iterdir())
    print(f"{count} files in {RELEASE.relative_to(ROOT)}, {time.monotonic() - started:.0f} s")


def write_views(folder: Path) -> None:
    """The three views of the contract, as the service publishes them."""
    contract = Contract(document.document())
    for name, view in VIEWS.items():
        (folder / name).write_bytes(contract.published(view).body)


def write_requests(folder: Path) -> None:
    """The Postman collection and the `.http` file."""
    contract = document.document()
    collection = json.dumps(requests.postman(contract), indent=2, ensure_ascii=False)
    (folder / "music-studio.postman_collection.json").write_text(collection + "\n", encoding="utf-8")
    (folder / "music-studio.http").write_text(requests.http_file(contract), encoding="utf-8")


def write_sums(folder: Path) -> None:
    """The digests of all other files, as `sha256sum --check` reads them."""
    files = sorted(file for file in folder.iterdir() if file.name != SUMS)
    lines = [f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in files]
    (folder / SUMS).write_text("".join(lines), encoding="ascii")


def _make(*words: str) -> None:
    subprocess.run(["make", "--no-print-directory", *words], cwd=ROOT, check=True)


def _write_docs(folder: Path) -> None:
    _make("docs")
    archive.write(ROOT / "dist" / "docs", folder / f"music-studio-docs-{_version()}.tar.gz", "docs")


def _write_clients(folder: Path) -> None:
    _make("clients")
    for language in LANGUAGES:
        name = f"music-studio-client-{language}-{_version()}"
        archive.write(ROOT / "dist" / "clients" / language, folder / f"{name}.tar.gz", name)


def _write_materials(folder: Path) -> None:
    _make("sbom")
    shutil.copyfile(ROOT / "dist" / "sbom.json", folder / "music-studio.cdx.json")


def _version() -> str:
    info: dict[str, Any] = document.document()["info"]
    return str(info["version"])


PARTS: dict[str, Part] = {
    "the views of the contract": write_views,
    "the Postman collection and the .http file": write_requests,
    "the documentation": _write_docs,
    "the clients": _write_clients,
    "the bill of materials": _write_materials,
    "the digests": write_sums,
}

if __name__ == "__main__":
    main()
