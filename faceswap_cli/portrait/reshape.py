"""Give the heads of a frame the source's shape before anything is laid on them.

The frame itself is bent around each face; crops are cut from the bent frame, and what was found in them, points and
classes, is bent along instead of being looked for again. A face's own shape is the mean over its track, so that what
is moved is steady, and neither a word nor a turned head changes it.
"""

from dataclasses import replace

import cv2
import numpy as np

from ..options import Options
from ..stages.align import inverse, transform, warp
from ..stages.past import Past
from ..stages.points import PointFinder
from ..types import Crop, Identity, Patch
from .bending import Field, bend, bent_classes
from .geometry import change, goal, shape_of, usual_shape

Bent = Patch | None  # None where nothing of the frame changes


def open_reshape(identity: Identity, points: PointFinder | None, options: Options) -> "Reshape | None":
    """Return what gives targets the source's shape; None where none is wanted, or the source's is not known."""
    if options.shape == 0 or points is None or identity.portrait is None:
        return None
    return Reshape(shape_of(identity.portrait.points), points, options.shape)


class Reshape:
    """Bends frames so that their faces have one source's shape (38, 2), or a part of it."""

    def __init__(self, shape: np.ndarray, points: PointFinder, strength: float) -> None:
        self._shape, self._points, self._strength = shape, points, strength

    def bend(self, rgb: np.ndarray, crops: list[Crop], past: Past | None) -> tuple[list[Crop], list[Bent]]:
        """Return the crops of the bent frame (H, W, 3), and for each face what of the frame changed."""
        crops = [self._find(crop) for crop in crops]
        fields, bent = self._fields(crops, past), list[Bent]()
        for crop, field in zip(crops, fields, strict=True):
            there = bend(crop, field, rgb.shape)
            bent.append(None if there is None else Patch(there.x, there.y, there.of(rgb), there.changed()))
            rgb = _laid(rgb, bent[-1])
        return [_cut(rgb, crop, field) for crop, field in zip(crops, fields, strict=True)], bent

    def _find(self, crop: Crop) -> Crop:
        points, beard = self._points.look(crop.image)
        return replace(crop, points=points, beard=beard)

    def _fields(self, crops: list[Crop], past: Past | None) -> list[Field]:
        fields = []
        for crop, shape in zip(crops, _shapes(crops, past), strict=True):
            points = _points_of(crop)
            goals = goal(points, self._strength * change(self._shape, shape))
            others = [_seen_from(crop, other) for other in crops if other is not crop]
            fields.append(Field(points, goals, others))
        return fields


def overlaid(under: Bent, over: Patch | None, opacity: float) -> Patch | None:
    """Return one patch that does what one does and then the other, as far as `opacity` says.

    None where nothing is pasted: a face that is hidden keeps its shape too.
    """
    if over is None:
        return None
    if under is None:
        return replace(over, alpha=over.alpha * np.float32(opacity))
    patches = (under, over)
    x0, y0 = min(each.x for each in patches), min(each.y for each in patches)
    x1 = max(each.x + each.alpha.shape[1] for each in patches)
    y1 = max(each.y + each.alpha.shape[0] for each in patches)
    rgb, alpha = np.zeros((y1 - y0, x1 - x0, 3), np.float32), np.zeros((y1 - y0, x1 - x0), np.float32)
    for each in patches:
        height, width = each.alpha.shape
        there = slice(each.y - y0, each.y - y0 + height), slice(each.x - x0, each.x - x0 + width)
        total = each.alpha + alpha[there] * (1 - each.alpha)
        share = each.alpha / np.maximum(total, 1e-6)
        rgb[there] += share[..., None] * (each.rgb - rgb[there])
        alpha[there] = total
    return Patch(x0, y0, np.rint(rgb).astype(np.uint8), alpha * np.float32(opacity))


def _shapes(crops: list[Crop], past: Past | None) -> list[np.ndarray]:
    """Return the shape (38, 2) of each face: in a clip the usual one of the frames that end with this one."""
    now = {crop.face.track: shape_of(_points_of(crop)) for crop in crops}
    if past is None:
        return [shape_of(_points_of(crop)) for crop in crops]
    past.shapes.append(now)
    return [usual_shape([seen[track] for seen in past.shapes if track in seen]) for track in now]


def _points_of(crop: Crop) -> np.ndarray:
    assert crop.points is not None, "points are found before a crop is bent"
    return crop.points.astype(np.float64)


def _seen_from(crop: Crop, other: Crop) -> np.ndarray:
    """Return the points (66, 2) of one crop as shares of another's side."""
    in_frame = transform(_points_of(other) * other.image.shape[0] - 0.5, inverse(other.to_crop))
    return (transform(in_frame, crop.to_crop) + 0.5) / crop.image.shape[0]


def _laid(rgb: np.ndarray, bent: Bent) -> np.ndarray:
    """Return a frame (H, W, 3) with what of it changed."""
    if bent is None:
        return rgb
    height, width = bent.alpha.shape
    result = rgb.copy()
    under = result[bent.y : bent.y + height, bent.x : bent.x + width]
    under[:] = np.rint(under + bent.alpha[..., None] * (bent.rgb.astype(np.float32) - under))
    return result


def _cut(rgb: np.ndarray, crop: Crop, field: Field) -> Crop:
    """Return the crop of a bent frame in the same place, with everything known of it bent along."""
    size = crop.image.shape[0]
    five = (transform(crop.face.points.astype(np.float64), crop.to_crop) + 0.5) / size
    five = transform(field.carried(five) * size - 0.5, inverse(crop.to_crop)).astype(np.float32)
    return replace(
        crop,
        image=warp(rgb, crop.to_crop, (size, size), cv2.BORDER_REFLECT_101),
        face=replace(crop.face, points=five),
        classes=None if crop.classes is None else bent_classes(crop.classes, field),
        points=field.goals.astype(np.float32),
    )
