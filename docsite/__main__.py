"""Writes the documentation as a static site: `python -m docsite dist/docs`."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from docsite.site import Site
from web import docs_pages
from web.contract import conformance
from web.contract import document as contract
from web.contract.reading import DOCS
from web.exceptions import ContractError


def main() -> None:
    options = _arguments()
    try:
        document = contract.load(options.contract)
        conformance.require_supported(document)
    except (ContractError, OSError) as error:
        sys.exit(str(error))
    shutil.rmtree(options.folder, ignore_errors=True)
    for path, content in _files(Site(document, options.server, api=options.server)):
        target = options.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    count = sum(1 for file in options.folder.rglob("*") if file.is_file())
    print(f"{count} files in {options.folder}: serve them below {DOCS} on any host. The samples call {options.server}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m docsite", description=__doc__)
    parser.add_argument("folder", type=Path, help="output folder; its contents are deleted first")
    parser.add_argument(
        "--server", default=docs_pages.ORIGIN, metavar="URL", help="server that the samples call (%(default)s)"
    )
    parser.add_argument(
        "--contract", type=Path, default=contract.HOME, metavar="FILE", help="OpenAPI document (%(default)s)"
    )
    return parser.parse_args()


def _files(site: Site) -> Iterator[tuple[str, bytes]]:
    for path in site.paths():
        page = site.page(path)
        if page is not None:
            yield _file(path), page.content
            if page.brotli is not None:
                yield f"{path}.br", page.brotli


def _file(path: str) -> str:
    """The file of a path; a path without suffix becomes a folder with index.html, which static file servers find."""
    return path if Path(path).suffix else f"{path}/index.html".removeprefix("/")


if __name__ == "__main__":
    main()
