"""Tell what of glasses hides the face behind them: rims, and lenses that are tinted or reflect.

The parser's class for glasses covers what is seen through clear lenses too. Rims lie along its outline and stand out
from the skin on both sides of them. Source and target are looked at alike: of a source what is found is taken off, of
a target it stays in front.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from .parse import GLASSES, SKIN, class_share, disc

RIM = 0.011  # breadth of a usual rim, share of the side: one may lie so far outside the outline of the class,
INSIDE = 2 * RIM  # and so far inside
THICK = 4 * RIM  # the same inside for what is dark and touches a rim: heavy frames, bridges, temples
MARGIN = RIM / 3  # by which a rim is larger than what was found of it
GRAIN, AROUND = RIM / 4, 8 * RIM  # shares of the side over which pixels are averaged, and the brightness of skin

FAINT = 18.0  # levels of 255 from which a line stands out
DARK = 0.5  # brightness, as a share of that of the skin around, up to which frames and tinted lenses are
GLARE = 1.35  # the same from which what is white, too, is a reflection
WHITE = 210  # level of 255 from which all colours of a reflection are
EYE = 0.17  # half an eye's width, in distances of the eyes; it is a third as high, and no rim is there


@dataclass(frozen=True, slots=True, eq=False)
class Glasses:
    """Where glasses hide a face in a crop."""

    rims: np.ndarray  # (S, S) uint8, 1 on rims
    opaque: np.ndarray  # (S, S) uint8, 1 on lenses that cannot be seen through, with their rims


def find_glasses(image: np.ndarray, class_probs: np.ndarray, eyes: np.ndarray) -> Glasses | None:
    """Return the glasses in a crop (S, S, 3) uint8 of class probabilities (19, P, P); None where none are worn.

    `eyes` (2, 2) are the places of both, as shares of the side.
    """
    size = image.shape[0]
    worn = _filled(_sized(class_share(class_probs, (GLASSES,)), size) > 0.5)
    if not worn.any():
        return None
    brightness = _brightness(image, _sized(class_share(class_probs, SKIN), size))
    rims = _rims(image, brightness, worn, _ellipses(eyes, size))
    glare = ((image.min(axis=2) >= WHITE) & (brightness > GLARE)).astype(np.uint8)
    return Glasses(rims, _opaque(brightness, glare, worn, eyes))


def _rims(image: np.ndarray, brightness: np.ndarray, worn: np.ndarray, eyes: np.ndarray) -> np.ndarray:
    near = _wider(worn, RIM)
    lines = near & (1 - _narrower(worn, INSIDE)) & (_prominence(image, disc(RIM * len(worn))) > FAINT)
    frame = _wider(near, MARGIN) & (1 - _narrower(worn, THICK)) & (brightness < DARK)
    found = _touching((lines | frame) & (1 - eyes), lines)
    return _wider(found, MARGIN) & (1 - eyes)


def _opaque(brightness: np.ndarray, glare: np.ndarray, worn: np.ndarray, eyes: np.ndarray) -> np.ndarray:
    """Return what cannot be seen through: glare, and lenses that are dark for the most part; brows alone are not."""
    size = len(worn)
    lens = _narrower(worn, INSIDE)
    hidden = lens & glare
    for side in _sides(eyes, size):
        dark = (lens & side & (brightness < DARK)).sum()
        if 2 * dark > (lens & side).sum():
            hidden |= lens & side
    hidden = cv2.morphologyEx(hidden, cv2.MORPH_OPEN, disc(RIM * size))
    return _wider(hidden, INSIDE + RIM) & _wider(worn, RIM)


def _wider(mask: np.ndarray, share: float) -> np.ndarray:
    """Return a mask (S, S) uint8 that is larger all around by a share of its side."""
    return np.asarray(cv2.dilate(mask, disc(share * len(mask))))


def _narrower(mask: np.ndarray, share: float) -> np.ndarray:
    return np.asarray(cv2.erode(mask, disc(share * len(mask))))


def _sides(eyes: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return twice (size, size) uint8: what is nearer to one eye, and to the other."""
    across, middle = eyes[1] - eyes[0], eyes.mean(axis=0) * size - 0.5
    y, x = np.mgrid[:size, :size]
    nearer = ((x - middle[0]) * across[0] + (y - middle[1]) * across[1] < 0).astype(np.uint8)
    return nearer, 1 - nearer


def _brightness(image: np.ndarray, skin: np.ndarray) -> np.ndarray:
    """Return (S, S) float32: how bright each pixel of a crop is, as a share of what is surely skin around it."""
    size = image.shape[0]
    grey = cv2.GaussianBlur(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32), (0, 0), GRAIN * size)
    surely = cv2.erode(np.maximum(2 * skin - 1, 0), disc(INSIDE * size))
    total, share = (cv2.GaussianBlur(each, (0, 0), AROUND * size) for each in (surely * grey, surely))
    return grey / (total / (share + 1e-3) + 1)


def _prominence(image: np.ndarray, around: np.ndarray) -> np.ndarray:
    """Return (S, S) uint8: by how many levels a pixel is darker or lighter than what lies on both sides of it."""
    darker, lighter = (cv2.morphologyEx(image, way, around) for way in (cv2.MORPH_BLACKHAT, cv2.MORPH_TOPHAT))
    return np.maximum(darker.max(axis=2), lighter.min(axis=2))


def _ellipses(eyes: np.ndarray, size: int) -> np.ndarray:
    """Return (size, size) uint8: 1 in an ellipse around each eye, upright as the template is."""
    drawn = np.zeros((size, size), np.uint8)
    apart = float(np.linalg.norm(eyes[1] - eyes[0])) * size
    for x, y in np.rint(eyes * size - 0.5).astype(int):
        half = round(EYE * apart), round(EYE / 3 * apart)
        cv2.ellipse(drawn, (int(x), int(y)), half, 0, 0, 360, 1, cv2.FILLED)
    return drawn


def _filled(mask: np.ndarray) -> np.ndarray:
    """Return (S, S) uint8: a mask with its holes, eyes behind lenses, filled."""
    outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return cv2.drawContours(np.zeros(mask.shape, np.uint8), outlines, -1, 1, cv2.FILLED)


def _touching(mask: np.ndarray, seeds: np.ndarray) -> np.ndarray:
    """Return (S, S) uint8: the connected parts of a mask that hold a seed."""
    _, labels = cv2.connectedComponents(mask)
    return np.isin(labels, np.setdiff1d(labels[seeds > 0], [0])).astype(np.uint8)


def _sized(share: np.ndarray, size: int) -> np.ndarray:
    return cv2.resize(share, (size, size), interpolation=cv2.INTER_LINEAR)
