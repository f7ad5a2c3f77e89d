"""Writes the reference as a static site: `python -m docsite dist/docs`."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Iterator
from pathlib import Path

from docsite.site import Site
from web import docs_pages
from web.contract import document as contract


def main() -> None:
    asked = _arguments()
    shutil.rmtree(asked.folder, ignore_errors=True)
    for path, content in _everything(Site(contract.document(), asked.server)):
        target = asked.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    count = sum(1 for file in asked.folder.rglob("*") if file.is_file())
    print(
        f"{count} files in {asked.folder}: serve them as {docs_pages.PATH} of any host. The samples call {asked.server}"
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m docsite", description=__doc__)
    parser.add_argument("folder", type=Path, help="folder to write; what is in it is removed first")
    parser.add_argument(
        "--server", default=docs_pages.ORIGIN, metavar="URL", help="what the samples call (%(default)s)"
    )
    return parser.parse_args()


def _everything(site: Site) -> Iterator[tuple[str, bytes]]:
    for path, (name, _) in docs_pages.FILES.items():
        yield path or name, (docs_pages.HOME / name).read_bytes()
    for path in site.paths():
        page = site.page(path)
        if page is not None:
            yield _file(path), page.content


def _file(path: str) -> str:
    """A page without an ending is the index of a folder, where any server of files finds it."""
    return path if Path(path).suffix else f"{path}/index.html"


if __name__ == "__main__":
    main()
