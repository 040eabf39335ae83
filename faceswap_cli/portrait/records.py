"""What travels between corrections: the source's portrait, and the state of one face of the target.

Pictures are uint8 RGB in the generator's template, (S, S, 3). Landmarks (66, 2) are x and y as shares of the side, in
the order of `networks/points.py`. Class probabilities (19, P, P) are in CelebAMask-HQ's order. Records are frozen;
changed copies come from `dataclasses.replace`.
"""

from dataclasses import dataclass, field

import numpy as np

from ..stages.track import Located
from ..types import Crop, Frame, Identity, Patch
from .geometry import Pose
from .quality import JudgedPhoto


def _nothing() -> np.ndarray:
    """Return a picture or mask that no step has written yet."""
    return np.empty((0, 0), np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class EyeColour:
    """What colour someone's irises have in a picture, and beside what white: RGB in [0, 255]."""

    iris: np.ndarray  # (3,) float32
    white: np.ndarray  # (3,) float32


@dataclass(frozen=True, slots=True, eq=False)
class Lips:
    """What someone's lips look like in a picture, and what they do."""

    colour: np.ndarray  # (3,) float32, RGB in [0, 255]
    width: float  # of the mouth, over the distance of the eyes
    aspect_ratio: float  # height of what shows between them, over the mouth's width


@dataclass(frozen=True, slots=True, eq=False)
class Mouth:
    """What a mouth does in a crop, as the parser sees it."""

    width: float  # share of the side; 0 where none is seen near its landmarks
    aspect_ratio: float  # height of what shows between the lips, over the width between the corners


@dataclass(frozen=True, slots=True, eq=False)
class Variant:
    """One way a portrait can look: colours and valid mask, (S, S, 4) uint8."""

    layers: np.ndarray
    smooth: np.ndarray | None = None  # the same without the folds of a smile; None where nobody made it


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """The portrait or its mirror image, and what it looks like otherwise; a frame blends them."""

    portrait: "Portrait"
    plain: Variant
    closed: Variant | None = None  # its open mouth shut; None where it is shut already
    mouthless: Variant | None = None  # skin where its mouth is


@dataclass(frozen=True, slots=True, eq=False)
class Portrait:
    """The source's face in the generator's template: pixels, and where its parts lie."""

    image: np.ndarray  # (S, S, 3) uint8
    valid_mask: np.ndarray  # (S, S) float32 in [0, 1]: 1 on the face, 0 on hair, background, eyes and teeth
    landmarks: np.ndarray  # (66, 2) float32
    class_probs: np.ndarray | None = None  # (19, P, P) float32, once a parser looked
    beard_prob: float = 0.0  # how surely the face has a beard, 0..1
    eyes: EyeColour | None = None  # None where it is not seen
    lips: Lips | None = None  # None where they are not seen
    views: tuple[View, ...] = ()  # itself and, where that shows more, its mirror image
    shape: np.ndarray | None = None  # (38, 2) of half a face, see geometry.py
    softness: np.ndarray | None = None  # (2, B): how sharp, across and down, each blur of `softness.py` leaves it


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """The person who is put in."""

    identity: Identity
    portrait: Portrait | None  # None for a generator that is shown none
    photos: tuple[JudgedPhoto, ...] = ()  # how each of them does; none where there is no portrait


@dataclass(frozen=True, slots=True, eq=False)
class FaceState:
    """One face of a frame on its way through the recipe: what is known of it, and the portrait warped to it."""

    source: Portrait
    crop: Crop  # what the generator is to see; target geometry and target corrections edit it
    landmarks: np.ndarray  # (66, 2) float32, of the crop
    beard_prob: float = 0.0  # how surely the face has a beard, 0..1
    pose: Pose | None = None  # of the landmarks as they were found; None where nobody fitted it
    opacity: float = 1.0  # how far the swap is seen, 0..1
    mouth: Mouth | None = None  # None where the crop was not parsed
    closing: float = 0.0  # how far the portrait's open mouth is shut, 0..1
    own_lips: float = 0.0  # how far the target keeps its own lips, 0..1
    smoothing: tuple[float, ...] = ()  # for each view, how far the folds of its smile are smoothed, 0..1; empty: not
    grids: tuple[np.ndarray, ...] = ()  # for each view, (C, C, 2): where the pixel at each cell comes from, see warp.py
    layers: tuple[np.ndarray, ...] = ()  # for each view, (S, S, 4) uint8: colours as warped, and where they may be used
    coverage: np.ndarray = field(default_factory=_nothing)  # (S, S) float32 in [0, 1]: where the target may be covered
    beard: np.ndarray | None = None  # (S, S) float32 in [0, 1]: where the target keeps a beard; None where it has none
    warped: np.ndarray = field(default_factory=_nothing)  # (S, S, 4) uint8: what the generator is shown beside the crop
    image: np.ndarray = field(default_factory=_nothing)  # (S, S, 3) uint8: what the generator made of them
    frame: np.ndarray | None = None  # (H, W, 3) uint8, the picture the crop was cut from; None where it is not known
    reshaped: Patch | None = None  # what of the frame changed with the shape of the head

    @property
    def nbytes(self) -> int:
        """How many bytes its pictures hold, the frame aside."""
        held = [
            self.crop.image,
            self.crop.class_probs,
            self.coverage,
            self.beard,
            self.warped,
            self.image,
            *self.layers,
        ]
        patch = self.reshaped
        held += [] if patch is None else [patch.rgb, patch.alpha]
        return sum(each.nbytes for each in held if each is not None)


@dataclass(frozen=True, slots=True, eq=False)
class FittedRole:
    """The faces of a frame that one source is put into, ready for its generator."""

    crops: list[Crop]  # that the generator is to see
    faces: list[FaceState]  # the same with what is shown beside them; none for a generator that is shown no portrait
    others: list[Crop]  # what is no face


@dataclass(frozen=True, slots=True, eq=False)
class FittedFrame:
    """A frame with what the generator of each role is to see."""

    located: Located
    roles: tuple[FittedRole, ...] = ()  # none where the frame is not to be swapped

    @property
    def frame(self) -> Frame:
        """The frame."""
        return self.located.frame

    @property
    def nbytes(self) -> int:
        """How many bytes its faces hold."""
        return sum(face.nbytes for role in self.roles for face in role.faces)
