"""Listening sockets, opened before anything else so that a port in use is known at once."""

import os
import socket


class CannotListen(Exception):
    """The sentence for the operator: which address could not be opened, why, and what to do."""


def listen(host: str, port: int, backlog: int = 4096) -> list[socket.socket]:
    """One listening socket per address of `host`; port 0 takes a free one. Raises CannotListen."""
    opened: list[socket.socket] = []
    try:
        for family, address in _addresses(host, port):
            # A name with two addresses must answer on one port: the first socket's choice holds for the second.
            free = opened[0].getsockname()[1] if opened and port == 0 else port
            opened.append(_listen(family, address, free, backlog))
    except OSError as problem:
        for one in opened:
            one.close()
        raise CannotListen(_sentence(host, port, problem)) from problem
    return opened


def url(host: str, sockets: list[socket.socket]) -> str:
    """The address to type into a browser on this machine."""
    port = sockets[0].getsockname()[1]
    name = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)  # noqa: S104 -- only compared with
    return f"http://[{name}]:{port}" if ":" in name and not name.startswith("[") else f"http://{name}:{port}"


def _addresses(host: str, port: int) -> list[tuple[socket.AddressFamily, str]]:
    found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return list(dict.fromkeys((family, str(address[0])) for family, _, _, _, address in found))


def _listen(family: socket.AddressFamily, address: str, port: int, backlog: int) -> socket.socket:
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        opened.bind((address, port))
        opened.listen(backlog)
    except OSError:
        opened.close()
        raise
    opened.setblocking(False)
    return opened


def _sentence(host: str, port: int, problem: OSError) -> str:
    if isinstance(problem, socket.gaierror):
        return f"The host {host!r} is not an address of this machine."
    reason = os.strerror(problem.errno).lower() if problem.errno else str(problem)
    return f"Cannot listen on {host} port {port}: {reason}. Choose another with --host or --port."
