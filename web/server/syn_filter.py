"""Lets a listening socket take no new connections while those that it has taken are still being answered."""

import ctypes
import socket
import struct
import sys
from collections.abc import Sequence

# From Linux's <asm-generic/socket.h>; Python has no name for it.
_SO_ATTACH_FILTER = 26
# (code, jump if true, jump if false, value) in the classic BPF of <linux/filter.h>: a first SYN is dropped, and all
# else passes, so that a handshake that has begun comes to its end.
_NO_FIRST_SYN = (
    (0x30, 0, 0, 13),  # the byte of the TCP header that holds the flags
    (0x54, 0, 0, 0x12),  # of them SYN and ACK
    (0x15, 0, 1, 0x02),  # SYN alone?
    (0x06, 0, 0, 0),  # drop
    (0x06, 0, 0, 0xFFFFFFFF),  # pass
)


def deafen(sockets: Sequence[socket.socket]) -> None:
    """Ignore whoever wants to connect from now on, for good; without effect on other systems than Linux.

    To close a listening socket resets the connections that wait in it to be accepted, and their requests with them.
    Ignored beforehand, a client asks for its connection again a second later, and learns that nobody listens.
    """
    if sys.platform != "linux":
        return
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in _NO_FIRST_SYN))
    described = struct.pack("HL", len(_NO_FIRST_SYN), ctypes.addressof(program))
    for one in sockets:
        one.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, described)
