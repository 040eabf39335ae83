"""A small 68-point landmark network, for losses that keep expression and pose.

The layout is that of face-api.js's faceLandmark68Net (MIT): four dense blocks of separable convolutions, an average,
one linear layer. Point order is iBUG 300-W's.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

CHANNELS = (32, 64, 128, 256)
MEAN_RGB = (122.782, 117.001, 104.298)  # grey levels, as face-api.js normalises
SIZE = 112


class LandmarkNet(nn.Module):
    """Map a face's crop (N, 3, 112, 112), RGB in [0, 1], to points (N, 68, 2) as shares of its side."""

    mean: Tensor

    def __init__(self) -> None:
        super().__init__()
        incoming = (3, *CHANNELS[:-1])
        self.blocks = nn.ModuleList(
            DenseBlock(before, width, plain=number == 0)
            for number, (before, width) in enumerate(zip(incoming, CHANNELS, strict=True))
        )
        self.fc = nn.Linear(CHANNELS[-1], 2 * 68)
        self.register_buffer("mean", torch.tensor(MEAN_RGB).view(1, 3, 1, 1) / 255, persistent=False)

    def forward(self, crop: Tensor) -> Tensor:
        """Return the points."""
        features = crop - self.mean
        for block in self.blocks:
            features = block(features)
        return self.fc(features.mean(dim=(2, 3))).reshape(-1, 68, 2)


class DenseBlock(nn.Module):
    """Four convolutions, each fed with the sum of all before it; the first halves the resolution."""

    def __init__(self, incoming: int, outgoing: int, *, plain: bool) -> None:
        super().__init__()
        first = nn.Conv2d(incoming, outgoing, 3, stride=2) if plain else Separable(incoming, outgoing, stride=2)
        self.convolutions = nn.ModuleList([first, *(Separable(outgoing, outgoing, stride=1) for _ in range(3))])

    def forward(self, features: Tensor) -> Tensor:
        """Return (N, outgoing, H / 2, W / 2)."""
        # the frameworks of that family pad the far side only where the stride is 2 and the side is even
        total = functional.relu(self.convolutions[0](functional.pad(features, (0, 1, 0, 1))))
        for convolution in self.convolutions[1:]:
            total = total + convolution(functional.relu(total))
        return functional.relu(total)


class Separable(nn.Module):
    """A depthwise 3x3 and a 1x1 convolution with one bias."""

    def __init__(self, incoming: int, outgoing: int, stride: int) -> None:
        super().__init__()
        padding = 1 if stride == 1 else 0
        self.depthwise = nn.Conv2d(incoming, incoming, 3, stride, padding, groups=incoming, bias=False)
        self.pointwise = nn.Conv2d(incoming, outgoing, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Return (N, outgoing, H / stride, W / stride); a stride of 2 expects padded features."""
        return self.pointwise(self.depthwise(features))
