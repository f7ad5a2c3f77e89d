"""Writes the API clients into dist/clients, from our templates or with the generator of its recipe."""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tools.clients import generators
from tools.clients.generators import DIST, LANGUAGES, OWN, WORK, Failed
from tools.clients.model import NOBODY, Publisher
from web.contract import document as contract


def main() -> None:
    parser = argparse.ArgumentParser(prog="make clients", description=__doc__)
    parser.add_argument("languages", nargs="*", metavar="LANGUAGE", help=f"only these of: {', '.join(LANGUAGES)}")
    parser.add_argument("--homepage", default="", metavar="URL", help="homepage in the metadata of the packages")
    parser.add_argument("--repository", default="", metavar="URL", help="repository in the metadata of the packages")
    parser.add_argument("--group-id", default="", metavar="NAME", help="groupId of the packages in Java and Kotlin")
    options = parser.parse_args()
    languages = options.languages or LANGUAGES
    if unknown := sorted(set(languages) - set(LANGUAGES)):
        parser.error(f"there is no client in {', '.join(unknown)}; there are {', '.join(LANGUAGES)}")
    try:
        seconds = write(languages, Publisher(options.homepage, options.repository, options.group_id))
    except Failed as failure:
        sys.exit(f"A generator failed:\n{failure}")
    Console().print(f"{len(languages)} clients in {DIST.relative_to(Path.cwd())}, {seconds:.0f} s")


def write(languages: Sequence[str], publisher: Publisher = NOBODY) -> float:
    """Rewrites these clients in parallel; returns the duration in seconds."""
    started, document = time.monotonic(), generators.client_contract()
    for folder in (WORK, *(DIST / language for language in languages)):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    own = [language for language in languages if language in OWN]
    others = [language for language in languages if language not in OWN]
    columns = (TextColumn("{task.description:<22}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress, ThreadPoolExecutor(2) as pool:
        bar = progress.add_task("writing clients", total=len(languages))

        def done(language: str) -> None:
            progress.update(bar, advance=1, description=f"wrote {language}")

        work = [pool.submit(generators.from_templates, own, contract.document(), done, publisher)]
        work.append(pool.submit(generators.openapi_generator, others, document, done, publisher))
        for job in work:
            job.result()
    shutil.rmtree(WORK)
    return time.monotonic() - started


if __name__ == "__main__":
    main()
