"""Bring a portrait to the target's light and contrast, as Reinhard et al. (2001) match two pictures.

Both are averaged over a wide neighbourhood, what is left of the portrait is scaled to the strength it has in the
target, and the target's average is added. What is left keeps its hue: each channel is scaled as light scales it, so
that brown brows from pale skin do not turn green on dark skin.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from .layers import resized

CELL = 8  # pixels at working size that a cell of the light's ratio averages
REACH_OF_LIGHT = 2.0  # standard deviation of its neighbourhood, in cells
LUMA = (0.299, 0.587, 0.114)  # BT.601
FLAT = 1e-4  # added to both variances, so that no texture divides by something
TINT = (0.6, 1.6)  # least and most that one channel is scaled by more than all
CONTRAST = (0.45, 1.15)  # least and most: a beard must not be paled, nor a smooth face be given grain


class LightMatch(nn.Module):
    """Compares pictures (N, 3, w, w) in [0, 1] at a network's working size; it has nothing to learn."""

    luma: Tensor
    neighbourhood: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("luma", torch.tensor(LUMA).reshape(1, 3, 1, 1), persistent=False)
        self.register_buffer("neighbourhood", _gaussian(REACH_OF_LIGHT), persistent=False)

    def forward(self, target: Tensor, face: Tensor, usable: Tensor) -> tuple[Tensor, Tensor]:
        """Return the contrast of the whole face (N, 3, 1, 1) and the offset of each cell (N, 3, w/8, w/8).

        Both are measured where the portrait may be used, (N, 1, w, w) in [0, 1].
        """
        cells = [functional.avg_pool2d(part, CELL) for part in (usable * target, usable * face, usable)]
        ours, theirs, share = (self._spread(part) for part in cells)
        ours, theirs = ours / (share + 1e-3), theirs / (share + 1e-3)
        light, source_light = ((usable * picture).mean(dim=(2, 3), keepdim=True) + 1e-3 for picture in (target, face))
        tint = light / source_light
        tint = (tint / tint.mean(dim=1, keepdim=True)).clamp(*TINT)
        strengths = [
            (usable * self._luma(rest).square()).mean(dim=(2, 3), keepdim=True) + FLAT
            for rest in (target - resized(ours, target), tint * (face - resized(theirs, face)))
        ]
        contrast = tint * (strengths[0] / strengths[1]).sqrt().clamp(*CONTRAST)
        return contrast, ours - contrast * theirs

    def _luma(self, picture: Tensor) -> Tensor:
        return (picture * self.luma).sum(dim=1, keepdim=True)

    def _spread(self, cells: Tensor) -> Tensor:
        kernel = self.neighbourhood.to(cells.dtype).expand(cells.shape[1], 1, -1, -1)
        return functional.conv2d(cells, kernel, padding=kernel.shape[-1] // 2, groups=cells.shape[1])


def lit(face: Tensor, contrast: Tensor, offset: Tensor) -> Tensor:
    """Return a portrait (N, 3, S, S) in that light, in [0, 1]."""
    return (face * contrast + resized(offset, face)).clamp(0, 1)


def _gaussian(deviation: float) -> Tensor:
    """Return (1, 1, k, k): a bell over two deviations to each side."""
    reach = round(2 * deviation)
    bell = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / deviation) ** 2)
    return (bell[:, None] * bell[None, :])[None, None] / bell.sum() ** 2
