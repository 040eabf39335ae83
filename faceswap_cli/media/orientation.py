"""How a stored picture is turned to stand upright: the eight cases of EXIF and of a container's display matrix.

An orientation is "transpose first, then mirror": enough for all eight, and its inverse is the same steps backwards.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..types import Patch

ONE = 1 << 16  # of a display matrix's first six numbers


@dataclass(frozen=True, slots=True)
class Orientation:
    """Steps from the stored picture to the upright one."""

    transpose: bool = False  # swap rows and columns, before mirroring
    mirror_x: bool = False  # then left and right
    mirror_y: bool = False  # then top and bottom

    @property
    def degrees(self) -> int:
        """Clockwise turn that makes the picture upright, leaving a mirror image aside: 0, 90, 180 or 270."""
        if self.transpose:
            return 90 if self.mirror_x else 270
        return 180 if self.mirror_y else 0

    def upright_size(self, width: int, height: int) -> tuple[int, int]:
        """Turn the stored (width, height) into the upright one."""
        return (height, width) if self.transpose else (width, height)

    def to_upright(self, stored: np.ndarray) -> np.ndarray:
        """Turn a stored (H, W, ...) picture upright; contiguous, a copy unless nothing is to be done."""
        upright = stored.swapaxes(0, 1) if self.transpose else stored
        return np.ascontiguousarray(self._mirrored(upright))

    def to_stored(self, upright: np.ndarray) -> np.ndarray:
        """Turn an upright picture back into the stored one, the inverse of `to_upright`."""
        mirrored = self._mirrored(upright)
        return np.ascontiguousarray(mirrored.swapaxes(0, 1) if self.transpose else mirrored)

    def patch_to_stored(self, patch: Patch, width: int, height: int) -> Patch:
        """Move a patch of the upright picture to the stored one of `width` x `height`."""
        rows, columns = patch.alpha.shape
        upright_width, upright_height = self.upright_size(width, height)
        x = upright_width - patch.x - columns if self.mirror_x else patch.x
        y = upright_height - patch.y - rows if self.mirror_y else patch.y
        if self.transpose:
            x, y = y, x
        return replace(patch, x=x, y=y, rgb=self.to_stored(patch.rgb), alpha=self.to_stored(patch.alpha))

    def display_matrix(self) -> tuple[int, ...]:
        """Write the steps as a display matrix, the inverse of `from_display_matrix`."""
        x, y = (-ONE if mirrored else ONE for mirrored in (self.mirror_x, self.mirror_y))
        turn = (0, y, 0, x, 0, 0) if self.transpose else (x, 0, 0, 0, y, 0)
        return (*turn, 0, 0, 1 << 30)

    def _mirrored(self, picture: np.ndarray) -> np.ndarray:
        return picture[:: -1 if self.mirror_y else 1, :: -1 if self.mirror_x else 1]


UPRIGHT = Orientation()

# EXIF 2.32, tag 0x0112: the orientation value and the steps that undo it.
EXIF_ORIENTATIONS = {
    1: Orientation(),
    2: Orientation(mirror_x=True),
    3: Orientation(mirror_x=True, mirror_y=True),
    4: Orientation(mirror_y=True),
    5: Orientation(transpose=True),
    6: Orientation(transpose=True, mirror_x=True),
    7: Orientation(transpose=True, mirror_x=True, mirror_y=True),
    8: Orientation(transpose=True, mirror_y=True),
}


def from_display_matrix(matrix: Sequence[int]) -> Orientation:
    """Read a display matrix (ISO 14496-12 8.3.2: a b u c d v x y w, x' = a x + c y, y' = b x + d y).

    Turns that are no multiple of 90 degrees go to the nearest one.
    """
    a, b, c, d = matrix[0], matrix[1], matrix[3], matrix[4]
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return Orientation(mirror_x=a < 0, mirror_y=d < 0)
    return Orientation(transpose=True, mirror_x=c < 0, mirror_y=b < 0)
