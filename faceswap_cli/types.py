"""The records that travel between the stages.

Images are uint8 RGB, upright, (height, width, 3). Points are x, y in pixels. A matrix is named by what it does:
`to_crop` maps frame pixels to crop pixels. Records are frozen; changed copies come from `dataclasses.replace`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, overload

import numpy as np

TOO_SMALL, BELOW_THRESHOLD = "smaller than --min-face", "below --det-threshold"
TURNED, EMPTY = "turned away", "hidden or outside the picture"
NO_FACE = "without eyes, brows or a mouth"
POINTS = 66  # landmarks of a face, in the order networks/points.py tells


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One decoded picture and its moment."""

    rgb: np.ndarray  # (H, W, 3) uint8, upright: rotation and EXIF orientation already applied
    index: int  # position in the part of the clip that is swapped, from 0
    pts: int = 0  # presentation time in units of time_base
    time_base: Fraction = Fraction(1, 1)  # seconds per pts unit
    picture: Any = None  # the decoded original in its own pixel format; only media/ looks inside
    start: Fraction = Fraction(0)  # presentation time of the clip's first picture

    @property
    def time(self) -> Fraction:
        """Presentation time in seconds, by the file's own clock."""
        return self.pts * self.time_base

    @property
    def shown(self) -> Fraction:
        """Seconds after the clip's first picture: the clock of players, of Options.start and of whatever is told."""
        return self.time - self.start


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """One face found in a frame."""

    box: np.ndarray  # (4,) float32: x0, y0, x1, y1 in pixels of the upright frame
    points: np.ndarray  # (5, 2) float32: left eye, right eye, nose, left and right mouth corner (as seen in the image)
    score: float  # detector confidence in [0, 1]
    track: int = -1  # number of the track the face belongs to, -1 before tracking
    role: int = 0  # number of the role of whoever is chosen: whose face it gets

    @property
    def area(self) -> float:
        """Area of the box in square pixels."""
        return float((self.box[2] - self.box[0]) * (self.box[3] - self.box[1]))


@dataclass(frozen=True, slots=True, eq=False)
class PassedOver:
    """What was seen in a picture and not taken for a face to be swapped, or of whose swap nothing is seen."""

    face: Face
    why: str  # TOO_SMALL or BELOW_THRESHOLD; TURNED, NO_FACE or EMPTY


@dataclass(frozen=True, slots=True, eq=False)
class Detections(Sequence[Face]):
    """The faces found in one picture, the largest first, and what was passed over."""

    faces: tuple[Face, ...] = ()
    passed_over: tuple[PassedOver, ...] = ()

    @property
    def too_small(self) -> int:
        """How many faces are smaller than Options.min_face."""
        return sum(each.why == TOO_SMALL for each in self.passed_over)

    @property
    def unsure(self) -> tuple[float, ...]:
        """The scores of what a somewhat lower threshold would have given, from that size on."""
        return tuple(each.face.score for each in self.passed_over if each.why == BELOW_THRESHOLD)

    def __len__(self) -> int:
        return len(self.faces)

    @overload
    def __getitem__(self, index: int) -> Face: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Face, ...]: ...

    def __getitem__(self, index: int | slice) -> Face | tuple[Face, ...]:
        return self.faces[index]


@dataclass(frozen=True, slots=True, eq=False)
class Crop:
    """A face cut out and brought to a template."""

    image: np.ndarray  # (S, S, 3) uint8 RGB
    to_crop: np.ndarray  # (2, 3) float64, frame pixels -> crop pixels: a similarity, or affine
    face: Face
    class_probs: np.ndarray | None = None  # (19, P, P) float32 in CelebAMask-HQ's order, once a parser looked


@dataclass(frozen=True, slots=True, eq=False)
class Identity:
    """Who the source is, as an encoder sees them."""

    embedding: np.ndarray  # (D,) float32, L2 norm 1
    space: str  # name of the encoder's space; a generator refuses a foreign one


@dataclass(frozen=True, slots=True, eq=False)
class KnownFace:
    """A face of which it is known where it lies in its photo, and whose it is."""

    face: Face
    identity: Identity


@dataclass(frozen=True, slots=True, eq=False)
class SourcePhoto:
    """A photo of the person to put in."""

    frame: Frame
    name: str  # of its file, as people know it
    face: int | None = None  # which of its faces, from 1, the largest first; None means the largest
    known: KnownFace | None = None  # where nothing is left to be found


@dataclass(frozen=True, slots=True, eq=False)
class Role:
    """Somebody in the target, and who is put in for them."""

    photos: Sequence[SourcePhoto | Frame]  # of the one who is put in
    who: str | None = None  # whom for, as Options.who says it; None: as the options say


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """What paste hands to the writer: one rectangle of new pixels with the weight of each."""

    x: int  # left edge in pixels of the upright frame, >= 0
    y: int  # top edge
    rgb: np.ndarray  # (h, w, 3) uint8, lies wholly inside the frame
    alpha: np.ndarray  # (h, w) float32 in [0, 1]; 1 keeps the patch's pixel, 0 the frame's


@dataclass(frozen=True, slots=True, eq=False)
class Swapped:
    """A frame with everything that is to change in it."""

    frame: Frame
    patches: tuple[Patch, ...]  # one for each face swapped, in the order they are to be composited
    faces_found: int
    label: Patch | None = None  # a text over all the rest, in frames without a face too
    missed: tuple[PassedOver, ...] = ()  # faces that were to be swapped, and of which nothing is to be seen

    @property
    def layers(self) -> tuple[Patch, ...]:
        """All that is laid over the frame, in order."""
        return self.patches if self.label is None else (*self.patches, self.label)
