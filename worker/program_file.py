"""The file of the operator's programs, read again on request."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import structlog

from studio.engines import command_catalog
from studio.engines.command_catalog import BadEngines, Program

log = structlog.get_logger("worker.program_file")


class ProgramFile:
    """The programs of a file, by the key of their engine; without a file none. Raises BadEngines at the start only."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self.programs: Mapping[str, Program] = {} if path is None else command_catalog.read(path)

    def read_again(self) -> None:
        """Takes what the file says now; if it is broken, the programs of before stay."""
        if self._path is None:
            return
        try:
            self.programs = command_catalog.read(self._path)
            log.info("programs read again", engines=sorted(self.programs))
        except BadEngines as problem:
            log.error("programs not read, those of before stay", reason=str(problem))
