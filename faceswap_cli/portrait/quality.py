"""Say how well a photo does as a source, once, before the first frame: which of it makes a swap that nobody believes.

Measured is what ISO/IEC 29794-5 calls the quality of a face image: how the head is turned, how large and sharp the face
is, what covers it, what eyes and mouth do, and the light. Nobody is refused; people are told what spoils a swap. Shut
eyes and an open mouth are measured and spoil none: a target keeps its own eyes, and mouths are shut before they lie.
"""

from dataclasses import asdict, dataclass, replace
from typing import Any

import cv2
import numpy as np

from ..stages.glasses import find_glasses
from ..stages.parse import EYES as EYE_CLASSES
from ..stages.parse import GLASSES, SKIN, class_share, disc
from ..stages.visible import visible_share
from ..types import Crop
from .geometry import fit_pose
from .landmarks import BRIDGE, CHIN, EYES, frontality
from .mouth import MouthGauge
from .softness import SharpnessGauge

_ENOUGH = 448.0  # pixels from which a larger face is no better known: a crop has no more
_AROUND_EYE = 0.2  # radius of what of an eye lenses may hide, in distances of the eyes
_WORN = 0.01  # share of a crop taken for glasses from which a parser sees less of the eyes behind them
_SKIN, _EDGE = 0.8, 2  # share of the skin's classes from which it surely is skin, and pixels of its edge left out
_LEAST_SKIN = 30  # pixels of the parser's in either half of a face: of fewer no light is told


@dataclass(frozen=True, slots=True)
class Limits:
    """From where on a photo does not do."""

    turned: float = 37.0  # degrees of yaw, to either side
    tilted: float = 30.0  # degrees of pitch, up or down
    small: float = 60.0  # pixels: shorter side of the face's box
    blurred: float = 1.4  # sharpness of its edges, see `softness.py`
    visible: float = 0.95  # share of what lies between eyes and mouth
    lenses: float = 0.5  # share of the eyes that lenses hide
    colours: float = 30.0  # between the halves of a face, a and b of CIELAB


LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Quality:
    """What was measured of a face in a photo; what needs a parser is as in a good photo where there is none."""

    yaw: float  # degrees, positive where the face looks towards the picture's right edge
    pitch: float  # degrees, positive where it looks up
    size: float  # pixels: shorter side of its box in the photo
    frontality: float  # 1 into the camera, 0 past it
    sharpness: float  # across or down, whichever is sharper: 1.2 in a blurred film, 2 in a photo
    visible: float = 1.0  # share of what lies between eyes and mouth, 0..1
    lenses: float = 0.0  # share of the eyes that lenses hide, 0..1
    eyes: float | None = None  # area of the larger eye, over the squared distance of both; None behind glasses
    mouth: float = 0.0  # height of what shows between the lips, over the mouth's width
    colours: float = 0.0  # difference of the skin's colour on either side, a and b of CIELAB

    @property
    def faults(self) -> tuple[tuple[str, str], ...]:
        """Return what is wrong with the photo, each with how one would be that works better."""
        found = (
            (abs(self.yaw) > LIMITS.turned, f"the head is turned {abs(self.yaw):.0f} degrees", "from the front"),
            (abs(self.pitch) > LIMITS.tilted, f"the face looks {self._way} the camera", "at the height of the eyes"),
            (self.size < LIMITS.small, f"the face is {int(self.size)} pixels wide", "with a larger face"),
            (self.sharpness < LIMITS.blurred, "the face is blurred", "in focus"),
            (self.visible < LIMITS.visible, "part of the face is covered", "with nothing before the face"),
            (self.lenses > LIMITS.lenses, "dark lenses hide the eyes", "without them"),
            (self.colours > LIMITS.colours, "light of two colours falls on the face", "in light of one colour"),
        )
        return tuple((what, better) for is_so, what, better in found if is_so)

    @property
    def merit(self) -> tuple[bool, float]:
        """Return by what photos of one person are compared, the larger the better: sound, looking ahead, and large."""
        return not self.faults, self.frontality * min(self.size, _ENOUGH)

    @property
    def _way(self) -> str:
        return "over" if self.pitch > 0 else "below"

    def as_record(self) -> dict[str, Any]:
        """Return what JSON shows."""
        measured = {name: value if value is None else round(value, 3) for name, value in asdict(self).items()}
        return measured | {"faults": [what for what, _ in self.faults]}

    def told(self, name: str) -> list[str]:
        """Say in a line what is wrong with a photo of that name, and what would be better; nothing of a good one."""
        if not self.faults:
            return []
        wrong, better = (list(words) for words in zip(*self.faults, strict=True))
        return [f"{name}: {_joined(wrong)}: a photo {_joined(better)} works better"]


@dataclass(frozen=True, slots=True)
class JudgedPhoto:
    """A photo of a source, and whether it is the one whose pixels are laid."""

    name: str
    quality: Quality
    taken: bool

    def as_record(self) -> dict[str, Any]:
        """Return what JSON shows."""
        return {"photo": self.name, "taken": self.taken} | self.quality.as_record()


def judged(names: list[str], qualities: list[Quality]) -> tuple[JudgedPhoto, ...]:
    """Return photos of one person; the best of them is taken, of equal ones the first."""
    best = max(range(len(names)), key=lambda number: qualities[number].merit)
    return tuple(
        JudgedPhoto(name, quality, number == best)
        for number, (name, quality) in enumerate(zip(names, qualities, strict=True))
    )


def quality_of(crop: Crop, landmarks: np.ndarray) -> Quality:
    """Measure a face in its crop, in the generator's template, of landmarks (66, 2); more of one a parser looked at."""
    yaw, pitch, _ = np.degrees(fit_pose(landmarks).angles)
    quality = Quality(
        yaw=-float(yaw),
        pitch=-float(pitch),
        size=float(min(crop.face.box[2:] - crop.face.box[:2])),
        frontality=frontality(landmarks),
        sharpness=float(SharpnessGauge().sharpness(crop.image, landmarks).max()),
    )
    if crop.class_probs is None:
        return quality
    return replace(
        quality,
        visible=visible_share(crop),
        lenses=_lenses(crop.image, crop.class_probs, landmarks),
        eyes=_eyes(crop.class_probs, landmarks),
        mouth=MouthGauge().aspect_ratio(landmarks, crop.class_probs),
        colours=_colours(crop.image, crop.class_probs, landmarks),
    )


def _lenses(image: np.ndarray, class_probs: np.ndarray, landmarks: np.ndarray) -> float:
    """Return which share of the eyes lies behind lenses that cannot be seen through."""
    eyes, apart = _centres(landmarks)
    glasses = find_glasses(image, class_probs, eyes)
    if glasses is None:
        return 0.0
    size, around = image.shape[0], np.zeros(image.shape[:2], np.uint8)
    for x, y in np.rint(eyes * size - 0.5).astype(int):
        cv2.circle(around, (int(x), int(y)), round(_AROUND_EYE * apart * size), 1, cv2.FILLED)
    return float((around * glasses.opaque).sum() / max(int(around.sum()), 1))


def _eyes(class_probs: np.ndarray, landmarks: np.ndarray) -> float | None:
    """Return the area of the larger eye over the squared distance of both; None where glasses are worn."""
    if class_share(class_probs, (GLASSES,)).mean() > _WORN:
        return None
    areas = class_probs[list(EYE_CLASSES)].mean(axis=(1, 2))
    return float(areas.max()) / _centres(landmarks)[1] ** 2


def _colours(image: np.ndarray, class_probs: np.ndarray, landmarks: np.ndarray) -> float:
    """Return how far the colours of the skin left and right of the nose lie apart, in a and b of CIELAB."""
    side = class_probs.shape[1]
    small = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    colours = cv2.cvtColor(small, cv2.COLOR_RGB2LAB)[..., 1:]
    face = cv2.convexHull(np.rint(landmarks * side - 0.5).astype(np.int32))
    inside = cv2.fillConvexPoly(np.zeros((side, side), np.uint8), face, 1)
    surely = (class_share(class_probs, SKIN) > _SKIN) & (inside > 0)
    skin = cv2.erode(surely.astype(np.uint8), disc(_EDGE)) > 0
    (left, top), (across, down) = landmarks[BRIDGE], landmarks[CHIN] - landmarks[BRIDGE]
    rows, columns = (np.mgrid[:side, :side] + 0.5) / side
    is_right = (columns - left) * down - (rows - top) * across > 0
    halves = [colours[skin & half] for half in (is_right, ~is_right)]
    if min(map(len, halves)) < _LEAST_SKIN:
        return 0.0
    one, other = (np.median(half, axis=0) for half in halves)
    return float(np.linalg.norm(one - other))


def _centres(landmarks: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the places of both eyes (2, 2), shares of the side, and how far they lie apart."""
    eyes = np.array([landmarks[eye].mean(axis=0) for eye in EYES])
    return eyes, max(float(np.linalg.norm(eyes[1] - eyes[0])), 1e-6)


def _joined(words: list[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
