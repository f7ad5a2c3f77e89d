"""Runs all workflows against the service and the mock: `python -m tools.workflows [service] [mock]`."""

from __future__ import annotations

import argparse
import sys

from tools.workflows.respect import respect
from tools.workflows.servers import running_mock, running_service

SERVERS = {"service": running_service, "mock": running_mock}


def main() -> int:
    """The exit status: 0 if all workflows succeed."""
    parser = argparse.ArgumentParser(prog="python -m tools.workflows", description=__doc__)
    parser.add_argument("servers", nargs="*", metavar="server", help=f"one of {', '.join(SERVERS)}; none means all")
    names = parser.parse_args().servers or list(SERVERS)
    if unknown := set(names) - set(SERVERS):
        parser.error(f"there is no server {', '.join(sorted(unknown))}; there are {', '.join(SERVERS)}")
    failed = 0
    for name in names:
        print(f"Workflows against the {name}:")
        with SERVERS[name]() as served:
            done = respect(served)
        print(done.stdout + done.stderr)
        failed |= done.returncode
    return failed


if __name__ == "__main__":
    sys.exit(main())
