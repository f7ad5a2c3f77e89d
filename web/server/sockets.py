"""Listening sockets, opened before the application starts, so that a port in use is reported at once."""

import contextlib
import ctypes
import fcntl
import os
import socket
import struct
import sys
import termios

# What the kernel takes of a response before the client's window has room for it.
UNSENT_BYTES = 128 * 1024
# Of <asm/socket.h>; Python's socket module does not have it.
SO_ATTACH_FILTER = 26
# A program of Linux's socket filter, one instruction each: code, two jumps, operand. It drops a segment that has SYN.
DROP_SYN = b"".join(
    struct.pack("HBBI", *instruction)
    for instruction in (
        (0x30, 0, 0, 13),  # load the byte of flags of the TCP header
        (0x45, 0, 1, 0x02),  # SYN?
        (0x06, 0, 0, 0),  # then keep nothing of the segment
        (0x06, 0, 0, 0xFFFFFFFF),  # otherwise keep all of it
    )
)


class CannotListen(Exception):
    """An address cannot be opened; the message names the address, the reason and the options to change."""


def listen(host: str, port: int, backlog: int = 4096) -> list[socket.socket]:
    """One listening socket per address of `host`; port 0 chooses a free port. Raises CannotListen."""
    opened: list[socket.socket] = []
    try:
        for family, address in _addresses(host, port):
            # All addresses of a host must use one port: that of the first socket.
            chosen_port = opened[0].getsockname()[1] if opened and port == 0 else port
            opened.append(_listen(family, address, chosen_port, backlog))
    except OSError as error:
        for listening in opened:
            listening.close()
        raise CannotListen(_sentence(host, port, error)) from error
    return opened


def refuse_new_connections(listening: socket.socket) -> None:
    """Makes Linux drop the first segment of every new connection; those that are open or in the queue go on.

    Closing a listening socket resets what came into its queue since the last accept. With this before it, nothing
    comes: the client sends its first segment again, and reaches whoever listens then, or is refused. It holds for every
    process that has the socket, and for good. Other systems keep the gap of some microseconds.
    """
    if sys.platform == "linux":
        program = ctypes.create_string_buffer(DROP_SYN)
        count = len(DROP_SYN) // struct.calcsize("HBBI")
        with contextlib.suppress(OSError):  # sandboxes without socket filters
            listening.setsockopt(
                socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HP", count, ctypes.addressof(program))
            )


def unacknowledged_bytes(opened: socket.socket) -> int:
    """The bytes written to a TCP connection that its peer has not acknowledged; 0 where the kernel does not tell."""
    count = bytearray(4)
    try:
        fcntl.ioctl(opened.fileno(), termios.TIOCOUTQ, count)
    except OSError:
        return 0
    return int.from_bytes(count, sys.byteorder)


def url(host: str, sockets: list[socket.socket]) -> str:
    """The URL of the server for a browser on this machine."""
    port = sockets[0].getsockname()[1]
    name = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)  # noqa: S104 -- only compared with
    return f"http://[{name}]:{port}" if ":" in name and not name.startswith("[") else f"http://{name}:{port}"


def _addresses(host: str, port: int) -> list[tuple[socket.AddressFamily, str]]:
    infos = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return list(dict.fromkeys((family, str(address[0])) for family, _, _, _, address in infos))


def _listen(family: socket.AddressFamily, address: str, port: int, backlog: int) -> socket.socket:
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if hasattr(socket, "TCP_NOTSENT_LOWAT"):
            # Of the accepted sockets: the kernel takes no megabytes for a client that reads slowly.
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)
        opened.bind((address, port))
        opened.listen(backlog)
    except OSError:
        opened.close()
        raise
    opened.setblocking(False)
    return opened


def _sentence(host: str, port: int, error: OSError) -> str:
    if isinstance(error, socket.gaierror):
        return f"The host {host!r} is not an address of this machine."
    reason = os.strerror(error.errno).lower() if error.errno else str(error)
    return f"Cannot listen on {host} port {port}: {reason}. Choose another with --host or --port."
