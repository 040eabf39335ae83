"""Read the packets of the tracks beside the pictures, each with a time to decode and a time to show."""

from collections.abc import Iterator
from typing import Any

import av
from av.container import InputContainer
from av.packet import Packet

from .joints import Joints, Mover
from .probe import pts_of

LONGEST_DURATION = (1 << 31) - 1  # ticks; the library's own bound, over which it refuses a packet


def packets_of(source: InputContainer, streams: list[Any], joints: Joints) -> Iterator[Packet]:
    """Read the packets of some streams, pts and dts set, up to the end or to where the file breaks off."""
    waiting: dict[int, list[Packet]] = {}  # pictures, by track, that come before the first whose dts the file tells
    for packet in _stamped(source, streams, joints):
        if packet.dts is None and packet.stream.type == "video":
            waiting.setdefault(packet.stream_index, []).append(packet)
            continue
        packet.duration = packet.duration if 0 <= (packet.duration or 0) <= LONGEST_DURATION else 0
        packet.pts = packet.dts if packet.pts is None else packet.pts
        packet.dts = packet.pts if packet.dts is None else packet.dts
        yield from _dated(waiting.pop(packet.stream_index, []), stamps(packet)[1])
        yield packet
    for packets in waiting.values():
        yield from _dated(packets, min(pts_of(packet) for packet in packets))


def _stamped(source: InputContainer, streams: list[Any], joints: Joints) -> Iterator[Packet]:
    """Read the packets that say when they are decoded or shown."""
    packets, mover = source.demux(*streams) if streams else iter(()), Mover()
    while True:
        try:
            packet = next(packets)
        except (StopIteration, av.FFmpegError):
            return
        mover.move(packet, joints)
        if packet.size and not (packet.dts is None and packet.pts is None):
            yield packet


def _dated(packets: list[Packet], following: int) -> list[Packet]:
    """Return packets that had no dts with one each: a tick apart, the last a tick before `following`."""
    for place, packet in enumerate(reversed(packets), 1):
        packet.dts = following - place
    return packets


def stamps(packet: Packet) -> tuple[int, int]:
    """Return pts and dts of a packet that has both, as `packets_of` and every encoder give them."""
    assert packet.pts is not None and packet.dts is not None
    return packet.pts, packet.dts
