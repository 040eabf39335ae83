"""Give the heads of a frame the source's shape before a portrait is warped to them.

The frame itself is warped around each face; the crop is cut anew from the warped frame, and what was found in it,
landmarks and class probabilities, is warped along instead of being looked for again. A face's own shape is the mean
over its track, so that what is moved is steady, and neither a word nor a turned head changes it.
"""

from dataclasses import dataclass, replace
from typing import ClassVar

import cv2
import numpy as np

from ...stages.align import inverse, transform, warp
from ...stages.bars import Area, common_area, picture_area
from ...stages.soft import HISTORY
from ...types import Patch
from ..bending import Field, FrameWarp, frame_warp, warped_classes
from ..geometry import change, goal, shape_of, usual_shape
from ..history import History
from ..protocols import FrameStep, Phase
from ..records import FaceState


@dataclass(frozen=True, slots=True)
class Settings:
    """How much of it."""

    strength: float = 1.0  # 1: the source's shape, 0: the target's


@dataclass(frozen=True)
class HeadShape(FrameStep):
    """The target's head with the source's shape."""

    name: ClassVar[str] = "shape"
    phase: ClassVar[Phase] = Phase.GEOMETRY
    reads: ClassVar[tuple[str, ...]] = (
        *("frame", "crop.image", "crop.class_probs", "crop.face", "crop.to_crop"),
        *("landmarks", "pose", "source.shape"),
    )
    writes: ClassVar[tuple[str, ...]] = ("reshaped", "crop.image", "crop.class_probs", "crop.face", "landmarks")
    history: ClassVar[int] = 2 * HISTORY  # frames over which a face's own shape is averaged
    settings: Settings = Settings()

    def over(self, faces: list[FaceState], history: History | None) -> list[FaceState]:
        """Warp the frame around each face in turn; faces that come without their frame stay as they are."""
        if not faces or faces[0].frame is None:
            return faces
        rgb, fields = faces[0].frame, self._fields(faces, history)
        area = self._area(rgb, history)
        warps, patches = list[FrameWarp | None](), list[Patch | None]()
        for face, field in zip(faces, fields, strict=True):
            warps.append(frame_warp(face.crop, field, area))
            patches.append(None if warps[-1] is None else warps[-1].patch(rgb))
            rgb = _with(rgb, patches[-1])
        moved = [_moved(*each, rgb) for each in zip(faces, fields, warps, strict=True)]
        return [replace(face, reshaped=patch) for face, patch in zip(moved, patches, strict=True)]

    def _area(self, rgb: np.ndarray, history: History | None) -> Area:
        """Return where the picture of a frame with bars lies: in a clip where it lay in any of the last frames."""
        area = picture_area(rgb)
        if history is None:
            return area
        frames = history.frames(f"{self.name} area", self.history)
        frames.append({0: area})
        return common_area([seen[0] for seen in frames])

    def _fields(self, faces: list[FaceState], history: History | None) -> list[Field]:
        """Return what each face's surroundings move by; of other faces nothing moves."""
        fields = []
        for face, shape in zip(faces, self._shapes(faces, history), strict=True):
            assert face.source.shape is not None, "the source's shape is learnt before the first frame"
            landmarks = face.landmarks.astype(np.float64)
            goals = goal(landmarks, self.settings.strength * change(face.source.shape, shape), face.pose)
            fields.append(Field(landmarks, goals, [_seen_from(face, other) for other in faces if other is not face]))
        return fields

    def _shapes(self, faces: list[FaceState], history: History | None) -> list[np.ndarray]:
        """Return the shape (38, 2) of each face: in a clip the usual one of the frames that end with this one."""
        shapes = [shape_of(face.landmarks, face.pose) for face in faces]
        if history is None:
            return shapes
        frames = history.frames(self.name, self.history)
        frames.append({face.crop.face.track: shape for face, shape in zip(faces, shapes, strict=True)})
        tracks = [face.crop.face.track for face in faces]
        return [usual_shape([seen[track] for seen in frames if track in seen]) for track in tracks]


def _moved(face: FaceState, field: Field, change: FrameWarp | None, rgb: np.ndarray) -> FaceState:
    """Return a face as the warped frame (H, W, 3) shows it, in the same place."""
    crop, size = face.crop, face.crop.image.shape[0]
    five = (transform(crop.face.points.astype(np.float64), crop.to_crop) + 0.5) / size
    five = transform(field.carried(five) * size - 0.5, inverse(crop.to_crop)).astype(np.float32)
    class_probs = crop.class_probs
    if class_probs is not None and change is not None:
        class_probs = warped_classes(class_probs, crop, change)
    image = warp(rgb, crop.to_crop, (size, size), cv2.BORDER_REFLECT_101)
    crop = replace(crop, image=image, face=replace(crop.face, points=five), class_probs=class_probs)
    return replace(face, crop=crop, landmarks=field.goals.astype(np.float32))


def _seen_from(face: FaceState, other: FaceState) -> np.ndarray:
    """Return the landmarks (66, 2) of another face as shares of the side of a face's crop."""
    in_frame = transform(other.landmarks * other.crop.image.shape[0] - 0.5, inverse(other.crop.to_crop))
    return (transform(in_frame, face.crop.to_crop) + 0.5) / face.crop.image.shape[0]


def _with(rgb: np.ndarray, patch: Patch | None) -> np.ndarray:
    """Return a frame (H, W, 3) with what of it changed."""
    if patch is None:
        return rgb
    height, width = patch.alpha.shape
    result = rgb.copy()
    under = result[patch.y : patch.y + height, patch.x : patch.x + width]
    under[:] = np.rint(under + patch.alpha[..., None] * (patch.rgb.astype(np.float32) - under))
    return result
