"""The judge of who is in a generated crop: one identity encoder or several, which a generator's loss asks."""

from collections.abc import Sequence

import torch
from kornia.filters import gaussian_blur2d
from torch import Tensor, nn
from torch.nn import functional

from ...networks.mobilefacenet import imagenet_normalise
from ...stages.align import TEMPLATES, similarity
from ..data.face_set import ENCODER_SIZE
from .spaces import space_of


class IdentityJudge(nn.Module):
    """Encoders that say who is in a generated crop, looking at it as cameras and detectors would.

    Every look is a little turned, scaled, shifted, and often blurred: a generator cannot please it with a pattern that
    only one exact pixel grid carries. One of the encoders, all of one space, is drawn for each batch.
    """

    place: Tensor  # what `_encoder_place` returns

    def __init__(self, encoders: Sequence[nn.Module], crop_size: int) -> None:
        super().__init__()
        self.space = space_of(encoders[0])
        self.encoders = nn.ModuleList(encoders).requires_grad_(False).eval()
        self.register_buffer("place", _encoder_place(crop_size, self.space.template), persistent=False)

    def train(self, mode: bool = True) -> "IdentityJudge":
        """Stay in evaluation mode."""
        return super().train(False)

    def forward(self, crops: Tensor, encoder: int) -> Tensor:
        """Return (N, D), L2 norm 1, of crops (N, 3, S, S) in [0, 1] as one encoder sees them, jittered."""
        return self.embed(_blurred(self._cut(crops, _jitter(len(crops), crops.device))), encoder)

    def look(self, crops: Tensor, encoder: int) -> Tensor:
        """Return the same without jitter, for measuring."""
        return self.embed(self._cut(crops, torch.eye(3, device=crops.device).expand(len(crops), 3, 3)), encoder)

    def embed(self, faces: Tensor, encoder: int) -> Tensor:
        """Return (N, D), L2 norm 1, of the encoders' own crops (N, 3, 112, 112) in [0, 1]."""
        return functional.normalize(self.encoders[encoder](imagenet_normalise(faces)).float())

    def _cut(self, crops: Tensor, moves: Tensor) -> Tensor:
        theta = (self.place @ moves)[:, :2].float()
        grid = functional.affine_grid(theta, [len(crops), 3, ENCODER_SIZE, ENCODER_SIZE], align_corners=False)
        return functional.grid_sample(crops.float(), grid, padding_mode="reflection", align_corners=False)


def _encoder_place(crop_size: int, template: str) -> Tensor:
    """Return (1, 3, 3): coordinates [-1, 1] of an encoder crop -> coordinates [-1, 1] of SimSwap's frontal crop."""
    to_encoder = similarity(TEMPLATES["simswap-frontal"][0] * crop_size, template, ENCODER_SIZE)
    pixels = torch.eye(3, dtype=torch.float64)
    pixels[:2] = torch.from_numpy(to_encoder)
    return (_to_unit(crop_size) @ torch.linalg.inv(pixels) @ torch.linalg.inv(_to_unit(ENCODER_SIZE))).float()[None]


def _to_unit(size: int) -> Tensor:
    """Return the matrix from pixels, centres at whole numbers, to grid_sample's [-1, 1] from edge to edge."""
    return torch.tensor([[2 / size, 0, 1 / size - 1], [0, 2 / size, 1 / size - 1], [0, 0, 1]], dtype=torch.float64)


def _jitter(count: int, device: torch.device) -> Tensor:
    """Draw (count, 3, 3) small similarities in [-1, 1] coordinates; every second one mirrors."""
    angle = 0.06 * torch.randn(count)
    scale = torch.exp(0.05 * torch.randn(count))
    shift = 0.04 * torch.randn(count, 2)
    mirror = torch.where(torch.rand(count) < 0.5, -1.0, 1.0)
    moves = torch.zeros(count, 3, 3)
    moves[:, 0, 0], moves[:, 0, 1] = mirror * scale * angle.cos(), -scale * angle.sin()
    moves[:, 1, 0], moves[:, 1, 1] = mirror * scale * angle.sin(), scale * angle.cos()
    moves[:, :2, 2], moves[:, 2, 2] = shift, 1
    return moves.to(device)


def _blurred(faces: Tensor) -> Tensor:
    """Blur a batch, or shrink and enlarge it, or leave it: one chance in three each."""
    chance = float(torch.rand(()))
    if chance < 1 / 3:
        return faces
    if chance < 2 / 3:
        side = int(torch.randint(48, 96, ()))
        small = functional.interpolate(faces, size=(side, side), mode="bilinear", antialias=True)
        return functional.interpolate(small, size=faces.shape[-2:], mode="bilinear")
    sigma = 0.5 + float(torch.rand(()))
    return gaussian_blur2d(faces, (7, 7), (sigma, sigma))
