"""Tell where the picture ends in a frame with bars: a letterbox, a pillarbox, a screenshot's border.

A bar is columns or rows of one colour along an edge of the frame, with a straight edge of its own: the picture beside
it differs along most of it. What is written in a bar, a subtitle, keeps off that edge and is bar. A plain backdrop has
none, nor has a dark scene beside a dark bar, which is left as it is.
"""

from typing import NamedTuple

import numpy as np

_ALIKE = 12  # levels up to which a bar's pixels differ, as compression leaves them
_APART, _MOST = 24, 0.5  # levels by which the picture differs from its bar, and in which share of the edge at least
_BLURRED = 3  # pixels over which a bar's edge may be blurred
_LOOKED_AT = 64  # pixels of a column that are looked at, about
_WIDEST = 0.4  # of the frame's side


class Area(NamedTuple):
    """A rectangle of a frame, in pixels: from (left, top) to before (right, bottom)."""

    left: int
    top: int
    right: int
    bottom: int


def picture_area(rgb: np.ndarray) -> Area:
    """Return where the picture lies in a frame (H, W, 3) uint8: all of it where there are no bars."""
    height, width = rgb.shape[:2]
    columns, rows = rgb[:: max(1, height // _LOOKED_AT)], rgb[:, :: max(1, width // _LOOKED_AT)].swapaxes(0, 1)
    left, right = _bar(columns), width - _bar(columns[:, ::-1])
    top, bottom = _bar(rows), height - _bar(rows[:, ::-1])
    return Area(left, top, right, bottom)


def common_area(areas: list[Area]) -> Area:
    """Return what is picture in any of some areas."""
    left, top, right, bottom = zip(*areas, strict=True)
    return Area(min(left), min(top), max(right), max(bottom))


def _bar(lines: np.ndarray) -> int:
    """Return how many columns from the left are a bar, of some lines (L, W, 3) uint8 across it."""
    colour = np.median(lines[:, 0], axis=0)
    if np.abs(lines[:, 0] - colour).max() > _ALIKE:
        return 0  # as in most frames
    away = np.abs(lines[:, : round(_WIDEST * lines.shape[1]) + _BLURRED + 1] - colour).max(axis=2)
    plain = away.max(axis=0) <= _ALIKE
    for end in np.flatnonzero(plain[:-1] & ~plain[1:]) + 1:  # where something begins: a text, or the picture
        beyond = away[:, end : end + _BLURRED + 1]
        if beyond.shape[1] > _BLURRED and (beyond.max(axis=1) > _APART).mean() >= _MOST:
            return int(end)
    return 0
