"""The file of the policy, read again when it has changed."""

from __future__ import annotations

from pathlib import Path

import structlog

from worker import policy
from worker.policy import BadPolicy, Policy

log = structlog.get_logger("worker.policy_file")


class PolicyFile:
    """A policy that follows its file; without a file everything is allowed. Raises BadPolicy at the start only."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._version = self._stat()
        self._policy = Policy() if path is None else policy.read(path)

    def current(self) -> Policy:
        """The policy of the file as it is now; while the file is broken, the one before."""
        version = self._stat()
        if version != self._version:
            self._version = version
            self.read_again()
        return self._policy

    def read_again(self) -> None:
        """Takes what the file says now, also if it does not look changed; if it is broken, the one before stays."""
        if self._path is None:
            return
        try:
            self._policy = policy.read(self._path)
            log.info("policy read again")
        except BadPolicy as problem:
            log.error("policy not read, the one before stays", reason=str(problem))

    def _stat(self) -> tuple[int, int, int] | None:
        try:
            found = self._path.stat() if self._path else None
        except OSError:
            return None
        return found and (found.st_mtime_ns, found.st_size, found.st_ino)
