"""Keep account of what was wrong with a clip's pictures while they were read, and tell it in words for people."""

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from .probe import Promise, furthest_end

LEAST_MISSING = Fraction(1, 10)  # seconds; less may be a header's rounding
Key = tuple[int | None, int | None]


@dataclass(slots=True)
class Damage:
    """What has been seen so far; reading the same place again counts nothing twice."""

    undecodable: set[Key] = field(default_factory=set)  # packets; the pictures in them are lost
    marked: set[Key] = field(default_factory=set)  # packets that the file or its container calls damaged
    scaled: int = 0  # pictures of another size than the first, brought to its size
    mended: int = 0  # pictures stamped no later than the one before, moved on by one tick
    broken: str | None = None  # why the reading ended before the file did
    missing: tuple[Fraction, Fraction, int] | None = None  # where pictures should end and do, seconds; how many lack

    def told(self, size: tuple[int, int], joints: int) -> list[str]:
        """Return what was wrong, a note each.

        `size` is that of the clip's pictures, `joints` how often packets' numbers jump where nothing is damaged.
        """
        notes, marked = [], len(self.marked) - len(self.undecodable) - joints
        if self.missing:
            promised, end, count = self.missing
            words = f"its header promises {float(promised):.2f} s, its pictures end at {float(end):.2f} s"
            notes.append(f"the file breaks off: {words} (about {count} are missing)")
        elif self.broken:
            notes.append(f"the file breaks off ({self.broken}): what follows is missing")
        if self.undecodable:
            notes.append(f"damaged places in the clip: {len(self.undecodable)}; their pictures are missing")
        if marked > 0:
            notes.append(f"further damaged packets in the clip: {marked}; their pictures may show it")
        if self.scaled:
            notes.append(f"pictures of another size than the first: {self.scaled}; scaled to {size[0]} x {size[1]}")
        if self.mended:
            notes.append(f"pictures stamped no later than the one before: {self.mended}; moved by one tick")
        return notes

    def compare(self, promise: Promise, end: Fraction, usual: Fraction, path: Path) -> None:
        """Note by how much pictures, usually `usual` seconds long, end (`end` seconds) before their header promises."""
        tolerance = max(LEAST_MISSING, 2 * usual)
        if promise.end - end <= tolerance:
            return
        if promise.of_pictures or promise.end - furthest_end(path) > tolerance:  # sound may well last longer
            self.missing = promise.end, end, round((promise.end - end) / usual)


def key_of(packet: Any) -> Key:
    """Tell a packet from the others of its track."""
    return packet.pos, packet.dts if packet.pts is None else packet.pts
