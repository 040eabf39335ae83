"""Label each pixel of a crop as skin, hair, an eye or one of 16 other classes: the fourth step of a frame's way.

The answer is kept in the crop for all later steps (fitting the portrait, masking): a face is parsed once.
"""

from dataclasses import replace

import cv2
import numpy as np

from ..engines.select import Network
from ..errors import WeightsError
from ..store.models import Entry
from ..types import Crop
from .tensors import to_tensor

# CelebAMask-HQ's order
SKIN = (1, 10)  # and the nose's
BROWS = (2, 3)
EYES = (4, 5)
GLASSES = 6
MOUTH = 11  # what shows between open lips
LIPS = (12, 13)  # the upper, the lower
HAIR = 17
SIDE = 160  # pixels of the embedded parser: what looks at its probabilities later counts rims and gaps in such
# skin, brows, eyes, glasses, nose, mouth, lips, as SimSwap's use_mask takes them
FACE_CLASSES = (1, 2, 3, 4, 5, 6, 10, 11, 12, 13)


class Parser:
    """Looks at crops in the template its network was trained on; what it says at a side above `most` is averaged."""

    def __init__(self, network: Network, contract: Entry, most: int | None = SIDE) -> None:
        self._network, self._input_range, self._most = network, contract.input_range, most
        self.size = contract.size or int(network.metadata.get("size", 0))  # of what it sees, pixels
        if self.size == 0:
            raise WeightsError(f"{contract.file} does not say the size of its input: train it again or reinstall")

    def parse_crops(self, crops: list[Crop]) -> list[Crop]:
        """Return the crops with their class probabilities."""
        return [replace(crop, class_probs=self.parse(crop.image)) for crop in crops]

    def parse(self, image: np.ndarray) -> np.ndarray:
        """Return the probability of each class (19, P, P) float32, 1 in all, in a crop's picture (S, S, 3) uint8.

        P is the parser's own side, `most` at most.
        """
        way = cv2.INTER_AREA if self.size <= image.shape[0] else cv2.INTER_LINEAR
        seen = cv2.resize(image, (self.size, self.size), interpolation=way)
        logits = self._network.run(**{self._network.inputs[0]: to_tensor([seen], self._input_range)})[0][0]
        return averaged(softmax(logits), self._most)


def softmax(logits: np.ndarray) -> np.ndarray:
    """Return the probability of each class (19, P, P) float32 for logits (19, P, P)."""
    powers = logits - logits.max(axis=0)
    np.exp(powers, out=powers)
    powers /= powers.sum(axis=0)
    class_probs: np.ndarray = powers.astype(np.float32, copy=False)
    return class_probs


def averaged(class_probs: np.ndarray, most: int | None) -> np.ndarray:
    """Return class probabilities (19, P, P) at a side of `most` pixels where P is larger."""
    if most is None or class_probs.shape[1] <= most:
        return class_probs
    return np.stack([cv2.resize(each, (most, most), interpolation=cv2.INTER_AREA) for each in class_probs])


def class_share(class_probs: np.ndarray, classes: tuple[int, ...]) -> np.ndarray:
    """Return (P, P) float32: the share of some classes together, of (19, P, P)."""
    first, *rest = classes
    together: np.ndarray = class_probs[first].copy()
    for label in rest:
        together += class_probs[label]
    return together


def main_part(face: np.ndarray) -> np.ndarray:
    """Keep the largest connected part of a face (P, P), without holes.

    Other parts are other people's skin. Holes are glints on glasses or deep shadows: what really covers a face, hands
    and hair, reaches in from its edge.
    """
    whole = (face > 0.5).astype(np.uint8)
    contours, _ = cv2.findContours(whole, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not contours:
        return np.zeros_like(face)
    part = np.zeros_like(whole)
    cv2.drawContours(part, [max(contours, key=cv2.contourArea)], -1, 1, cv2.FILLED)
    inside, nearby = cv2.erode(part, disc(2)), cv2.dilate(part, disc(1))
    return np.maximum(face * nearby, inside).astype(np.float32)


def disc(radius: float) -> np.ndarray:
    """Return the structuring element of so many pixels, rounded, around one."""
    side = 2 * round(radius) + 1
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
