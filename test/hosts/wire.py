#!/usr/bin/env python3
"""A slow cable between two links of one network namespace: `wire.py MILLISECONDS LINK LINK` carries each packet over after that time.

`wire.py plain LINK` has a link send whole packets with their sums worked out, as a cable carries them. Kernels without tc's netem have no
slow links of their own.
"""

import collections
import ctypes
import fcntl
import select
import socket
import struct
import sys
import time

SIOCETHTOOL = 0x8946
# Sums of sent packets, scattered packets, segments made later (TCP's, any), received packets put together.
SWITCHES = (0x17, 0x19, 0x1F, 0x24, 0x2C)
ALL_PROTOCOLS = 3


def plain(link: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        for switch in SWITCHES:
            off = ctypes.create_string_buffer(struct.pack("II", switch, 0))
            request = struct.pack("16sP", link.encode(), ctypes.addressof(off))
            try:
                fcntl.ioctl(asking, SIOCETHTOOL, request)
            except OSError as error:
                print(f"{link}: {hex(switch)} cannot be switched off: {error}", file=sys.stderr)


def carry(delay: float, links: list[str]) -> None:
    ends = []
    for link in links:
        end = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ALL_PROTOCOLS))
        end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        end.bind((link, 0))
        ends.append(end)
    # One delay for all: what comes first goes first.
    under_way: collections.deque[tuple[float, socket.socket, bytes]] = collections.deque()
    while True:
        rest = max(0.0, under_way[0][0] - time.monotonic()) if under_way else None
        for end in select.select(ends, [], [], rest)[0]:
            try:
                packet, origin = end.recvfrom(1 << 16)
            except OSError:
                continue  # The link is down.
            if origin[2] != socket.PACKET_OUTGOING:
                under_way.append((time.monotonic() + delay, ends[1 - ends.index(end)], packet))
        while under_way and under_way[0][0] <= time.monotonic():
            _, to, packet = under_way.popleft()
            try:
                to.send(packet)
            except OSError:
                pass  # A link that is down or full loses packets.


if sys.argv[1] == "plain":
    plain(sys.argv[2])
else:
    carry(float(sys.argv[1]) / 1000, sys.argv[2:])
