"""A painter made anew for every source: MobileFaceSwap's dynamic network at the painter's work (step: generate).

The injection side (injection.py) runs once per source and gives the weights of a U-Net of depthwise and pointwise
convolutions; that one serves every frame. Where the published network paints a face from nothing, this one is shown
what `Painter` is shown and answers in the same terms (`Painting`), so that it can be taught by it pixel by pixel, and
skin, pores and lashes are real ones at any crop size. Its first level is no source's own: nothing but a convolution of
pixels side by side, which its last one sees again. Paper: MobileFaceSwap (Xu et al., AAAI 2022).
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from .injection import DECODER, ENCODER, SLOPE, Kernels, Modulation, VectorPredictor, injected
from .layers import doubled, silent
from .mobilefaceswap import filtered, mixed
from .painter import QUIET, SEEN, SILENT_HUE, Painting, PortraitPainter, at_size, shown

LEVELS = ENCODER[1:]  # below the first: from half the working size to a thirty-second
COLOUR_LEVEL = 2  # of the decoder, at an eighth of the working size: colours are read from what it is about to take


@dataclass(frozen=True, slots=True)
class MobilePainterConfig:
    """Shape of the network."""

    size: int = 256  # side of the crop it takes and returns
    working: int = 128  # side at which it paints: a multiple of 32
    latent: int = 128  # length of the identity vector
    hidden: int = 128  # width of the layer all kernels are read from


class MobilePainter(PortraitPainter):
    """The painter with half a million weights made for each source; identities are one for all pictures or one each."""

    def __init__(self, config: MobilePainterConfig | None = None) -> None:
        config = config or MobilePainterConfig()
        super().__init__(config.working)
        self.config = config
        first, last = LEVELS[0][0], DECODER[-1][1]
        self.stem = nn.Conv2d(4 * SEEN, first, 3, padding=1)
        self.predictor = VectorPredictor(config.latent, config.hidden, LEVELS)
        self.EncoderModulation = nn.ModuleList(Modulation(*widths, config.latent) for widths in LEVELS)
        self.DecoderModulation = nn.ModuleList(Modulation(*widths, config.latent) for widths in DECODER)
        self.colour = silent(nn.Conv2d(DECODER[COLOUR_LEVEL][0], 12, 3, padding=1), QUIET)
        self.mix = nn.Conv2d(last + first, last, 3, padding=1)
        self.paint = silent(nn.Conv2d(last, 4 * 6, 3, padding=1), QUIET)
        assert self.paint.bias is not None
        nn.init.constant_(self.paint.bias[4 * 5 :], SILENT_HUE)

    def paint_over(self, composite: Tensor, target: Tensor, identity: Tensor, portrait: Tensor) -> Painting:
        """Return what to do with a composite (N, 3, w, w), shown the target (N, 3, w, w) and the portrait."""
        kernels = injected(self.predictor, (*self.EncoderModulation, *self.DecoderModulation), identity)
        fine = _activated(self.stem(shown(composite, target, at_size(portrait, self.working))))
        features, colour = self._think(fine, kernels)
        paint = self.paint(_activated(self.mix(torch.cat([features, fine], dim=1))))
        paint = torch.tanh(functional.pixel_shuffle(paint, 2))
        return Painting(composite, torch.tanh(colour), paint[:, :2], paint[:, 2:5], paint[:, 5:])

    def _think(self, features: Tensor, kernels: Kernels) -> tuple[Tensor, Tensor]:
        """Return features (N, 32, w/2, w/2) and what colours become, (N, 12, w/8, w/8), for the stem's features."""
        levels = list(zip(kernels.depthwise, kernels.pointwise, strict=True))
        maps = []
        for depthwise, pointwise in levels[: len(LEVELS)]:
            features = _activated(mixed(filtered(features, depthwise, stride=2), pointwise))
            maps.append(features)
        colour = features
        for level, (depthwise, pointwise) in enumerate(levels[len(LEVELS) :]):
            if level:
                features = torch.cat([features, maps[-1 - level]], dim=1)
            if level == COLOUR_LEVEL:
                colour = self.colour(features)
            features = _activated(mixed(filtered(doubled(features), depthwise, stride=1), pointwise))
        return features, colour


def _activated(features: Tensor) -> Tensor:
    return functional.leaky_relu(features, SLOPE)
