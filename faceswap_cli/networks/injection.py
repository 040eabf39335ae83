"""MobileFaceSwap's injection side: from who the source is to the weights of the network that swaps.

It runs once per source. A predictor gives every depthwise kernel; a modulation scales the inputs of every pointwise
convolution and brings each of its rows back to length 1. `VectorPredictor` is ours and needs the identity vector alone;
`MapPredictor` is the published one and reads the last feature map of its own encoder too. Paper: MobileFaceSwap (Xu et
al., AAAI 2022), identity injection network; parameter names are those of its published file.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

# Channels before and after each level of the swapping network; the decoder's inputs hold the encoder's maps too.
ENCODER = ((3, 32), (32, 64), (64, 128), (128, 256), (256, 512))
DECODER = ((512, 256), (512, 128), (256, 64), (128, 32))
ENCODER_SIDE, DECODER_SIDE = 4, 3  # of the depthwise kernels, in pixels

Widths = tuple[tuple[int, int], ...]

EMBEDDING, MAP_CHANNELS, MAP_SIDE = 512, 512, 7
IDENTITY = EMBEDDING + MAP_CHANNELS * MAP_SIDE**2
# The published encoder's map travels behind its embedding in one identity vector, this much smaller: there it moves
# the vector's length and its cosines by less than a thousandth.
MAP_SHARE = 1e-4

SLOPE = 0.1  # of every leaky ReLU of these networks
DEMODULATION = 1e-16  # keeps a row of zeros finite

Predicted = tuple[Tensor, list[Tensor], list[Tensor]]


@dataclass(frozen=True, slots=True)
class Kernels:
    """The weights of one source, or of one per picture: a pair per level, encoder first."""

    depthwise: list[Tensor]  # (N or 1, C, k, k) each
    pointwise: list[Tensor]  # (N or 1, outgoing, C) each


class Modulation(nn.Module):
    """The pointwise weights of one level, styled by the identity (StyleGAN 2, equations 1 and 3)."""

    def __init__(self, incoming: int, outgoing: int, latent: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outgoing, incoming, 1, 1))
        self.style = nn.Linear(latent, incoming)
        nn.init.normal_(self.style.weight, std=0.02)
        nn.init.zeros_(self.style.bias)

    def forward(self, vector: Tensor) -> Tensor:
        """Return weights (N, outgoing, incoming), rows of length 1, for identities (N, latent)."""
        styled = self.weight.flatten(1) * (self.style(vector) + 1)[:, None]
        return styled * torch.rsqrt(styled.square().sum(dim=2, keepdim=True) + DEMODULATION)


class VectorPredictor(nn.Module):
    """Depthwise kernels from an identity vector: a learned kernel each, moved by what the identity asks for."""

    def __init__(self, latent: int, hidden: int, encoder: Widths = ENCODER) -> None:
        super().__init__()
        self.latent = latent
        layers = nn.Linear(latent, 2 * hidden), nn.Linear(2 * hidden, hidden)
        self.trunk = nn.Sequential(layers[0], nn.LeakyReLU(SLOPE), layers[1], nn.LeakyReLU(SLOPE))
        for layer in layers:
            nn.init.kaiming_normal_(layer.weight, SLOPE)
            nn.init.zeros_(layer.bias)
        self.encoder = nn.ModuleList(_kernels(hidden, incoming, ENCODER_SIDE) for incoming, _ in encoder)
        self.decoder = nn.ModuleList(_kernels(hidden, incoming, DECODER_SIDE) for incoming, _ in DECODER)

    def forward(self, identity: Tensor) -> Predicted:
        """Return the modulations' vector (N, latent) and kernels (N, C, k, k) for identities of L2 norm 1."""
        vector = identity * self.latent**0.5  # unit variance: styles learn as fast as convolutions
        hidden = self.trunk(vector)
        encoder = [_square(level(hidden), ENCODER_SIDE) for level in self.encoder]
        return vector, encoder, [_square(level(hidden), DECODER_SIDE) for level in self.decoder]


class MapPredictor(nn.Module):
    """The published predictor: two chains of convolutions over the encoder's last map, 4x4 and 3x3 wide."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(MAP_CHANNELS, 512, 4)
        self.norm = nn.BatchNorm2d(512)
        self.first_decoder = nn.Conv2d(512, 512, 2)
        self.decoder_norm = nn.BatchNorm2d(512)
        coarse_to_fine = [512, *(incoming for incoming, _ in reversed(ENCODER))]
        self.encoder = nn.ModuleList(PredictorBlock(*widths) for widths in pairwise(coarse_to_fine))
        self.decoder = nn.ModuleList(
            PredictorBlock(*widths) for widths in pairwise([512, *(incoming for incoming, _ in DECODER)])
        )

    def forward(self, identity: Tensor) -> Predicted:
        """Return the embedding (N, 512), L2 norm 1, and kernels (N, C, k, k) for identities (N, IDENTITY)."""
        vector, features = split_identity(identity)
        start = functional.leaky_relu(self.norm(self.first(features)), SLOPE)
        encoder = _chain(self.encoder, start)
        narrow = functional.leaky_relu(self.decoder_norm(self.first_decoder(start)), SLOPE)
        return vector, encoder[::-1], _chain(self.decoder, narrow)


class PredictorBlock(nn.Module):
    """One link of a chain: features for the next one, and this level's kernels."""

    def __init__(self, incoming: int, outgoing: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(incoming, outgoing, 3, padding=1)
        self.norm = nn.BatchNorm2d(outgoing)
        self.weight = nn.Conv2d(outgoing, outgoing, 3, padding=1)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Return features and kernels, both (N, outgoing, k, k)."""
        features = functional.leaky_relu(self.norm(self.conv(features)), SLOPE)
        return features, self.weight(features)


def injected(predictor: nn.Module, modulations: Iterable[nn.Module], identity: Tensor) -> Kernels:
    """Return the weights that put identities in; modulations are the encoder's, then the decoder's."""
    vector, encoder, decoder = predictor(identity)
    return Kernels([*encoder, *decoder], [modulation(vector) for modulation in modulations])


def join_identity(embedding: Tensor, features: Tensor) -> Tensor:
    """Return (N, IDENTITY) of an embedding (N, 512) and its encoder's last map (N, 512, 7, 7)."""
    return torch.cat([functional.normalize(embedding), features.flatten(1) * MAP_SHARE], dim=1)


def split_identity(identity: Tensor) -> tuple[Tensor, Tensor]:
    """Return the embedding, L2 norm 1, and the map, whatever length the joint vector was brought to since."""
    length = identity[:, :EMBEDDING].norm(dim=1, keepdim=True)
    identity = identity / length
    features = identity[:, EMBEDDING:].reshape(-1, MAP_CHANNELS, MAP_SIDE, MAP_SIDE) / MAP_SHARE
    return identity[:, :EMBEDDING], features


def _kernels(hidden: int, channels: int, side: int) -> nn.Linear:
    """Start with random kernels that keep the signal's variance (He et al. 2015), a quarter of it the identity's."""
    level = nn.Linear(hidden, channels * side**2)
    spread = 2**0.5 / side
    nn.init.normal_(level.bias, std=spread)
    nn.init.normal_(level.weight, std=0.25 * spread * hidden**-0.5)
    return level


def _square(flat: Tensor, side: int) -> Tensor:
    return flat.reshape(len(flat), -1, side, side)


def _chain(blocks: nn.ModuleList, features: Tensor) -> list[Tensor]:
    kernels = []
    for block in blocks:
        features, level = block(features)
        kernels.append(level)
    return kernels
