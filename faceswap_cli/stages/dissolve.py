"""Tell where one picture has melted into another: the part of telling shots that looks back over a second.

In a dissolve every picture is a mixture of the last one before it and the first one behind it, of whose second part
there is more from frame to frame, and paler than both: what varies in one does not in the other. What moves, a light
that changes and a fade to black do not pale that way.
"""

from collections.abc import Sequence

import numpy as np

LONGEST = 27  # frames that are looked back over

_SPANS = (8, 12, 18, LONGEST)  # frames back at which the picture before may be
_CHANGE = 22.0  # mean change (0..255) from one picture to the other: that of a cut
_OFF = 0.45  # of that change that a picture may be off the mixture, on average: two cameras that pan are by 0.3
_PALER = 0.9  # of the contrast between both pictures' that the mixture has at most; cameras that move have 0.91 or more
_OVER = 0.88  # share of the second picture from which the dissolve is over
_MIXED = 3  # pictures that hold at least a tenth of either: fewer are a cut
_BACK = 0.05  # by which that share may go back from one frame to the next


def is_over(past: Sequence[np.ndarray], now: np.ndarray, ahead: np.ndarray) -> bool:
    """Tell whether a dissolve ends with a picture.

    `past` are small pictures (H, W, 3) of the frames before, in order, `ahead` is that of a frame a few behind `now`.
    """
    if not past or _change(past[max(0, len(past) - LONGEST)], ahead) <= _CHANGE:
        return False
    return any(_is_mixture([*past[-span:], now], ahead) for span in _SPANS if span <= len(past))


def _is_mixture(pictures: Sequence[np.ndarray], last: np.ndarray) -> bool:
    """Tell whether pictures go over from the first of them to another, and are there with the last one of them."""
    first = pictures[0].astype(np.float64)
    change = last - first
    size = float(np.abs(change).mean())
    if size <= _CHANGE:
        return False
    away = np.array([each - first for each in pictures]).reshape(len(pictures), -1)
    shares = away @ change.ravel() / float((change**2).sum())
    off = np.abs(away - shares[:, None] * change.ravel()).mean(axis=1)
    mixed = int(((shares > 0.1) & (shares < 0.9)).sum())
    grows = bool((np.diff(shares) > -_BACK).all())
    ended = shares[-1] >= _OVER and mixed >= _MIXED and grows and float(off.max()) <= _OFF * size
    middle = int(np.abs(shares - 0.5).argmin())
    return ended and _contrast(pictures[middle]) <= _PALER * _between(first, last, float(shares[middle]))


def _between(one: np.ndarray, other: np.ndarray, share: float) -> float:
    """Return the contrast that lies such a share of the way from one picture's to another's."""
    return (1 - share) * _contrast(one) + share * _contrast(other)


def _contrast(picture: np.ndarray) -> float:
    """Return the deviation of a picture, mean of its channels: where two that vary apart are mixed it is less."""
    return float(picture.astype(np.float64).std(axis=(0, 1)).mean())


def _change(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one.astype(np.float64) - other).mean())
