"""How a generator does on people it never saw: a row for the log and a sheet to look at."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ...networks.lite import SimSwapLite
from ...networks.mobilefaceswap import MobileFaceSwap
from ...networks.painter import Painter
from ..core.sheets import write_sheet
from ..data.swap_data import SwapData
from ..teachers.identity_judge import IdentityJudge

PAIRS, SHOWN = 64, 8


@torch.no_grad()
def measure(generator: nn.Module, judge: IdentityJudge, data: SwapData, sheet: Path) -> dict[str, float]:
    """Swap fixed pairs of unseen people; return cosine to source and to target, and the self-swap's PSNR in dB.

    The encoders are those of the training: these are curves to watch, not figures to quote. The sheet shows source,
    target, swap and self-swap, one pair a column.
    """
    draw = np.random.default_rng(1)
    targets = draw.choice(data.unseen_targets, min(PAIRS, len(data.unseen_targets)), replace=False)
    sources = draw.choice(data.unseen_sources, len(targets), replace=len(data.unseen_sources) < len(targets))
    crops, identities, portraits = data.still(targets, sources)
    _, own, mirror = data.still(targets, targets)
    device = next(generator.parameters()).device
    swapped = _generate(generator, crops.to(device), identities.to(device), portraits.to(device))
    again = _generate(generator, crops.to(device), own.to(device), mirror.to(device))
    pictures = torch.from_numpy(data.faces.images[sources[:SHOWN]]).permute(0, 3, 1, 2) / 255
    shown_sources = nn.functional.interpolate(pictures, size=crops.shape[-2:], mode="bilinear", antialias=True)
    columns = [part[:SHOWN].cpu() for part in (shown_sources, crops, swapped, again)]
    write_sheet(sheet, [[to_picture(image) for image in row] for row in columns])
    found = torch.stack([judge.look(swapped, index).cpu() for index in range(len(judge.encoders))])
    return {
        "cosine_source": float((found * data.embeddings[:, sources]).sum(-1).mean()),
        "cosine_target": float((found * data.embeddings[:, targets]).sum(-1).mean()),
        "self_psnr": float((-10 * (again - crops.to(device)).square().mean(dim=(1, 2, 3)).log10()).mean()),
    }


def sees_portrait(generator: nn.Module) -> bool:
    """Tell whether a generator of ours takes a portrait beside target and identity."""
    if isinstance(generator, MobileFaceSwap):
        return generator.config.portrait
    return isinstance(generator, SimSwapLite | Painter)


def _generate(generator: nn.Module, *inputs: Tensor) -> Tensor:
    inputs = inputs if sees_portrait(generator) else inputs[:2]
    return torch.cat([generator(*part) for part in zip(*(each.split(16) for each in inputs), strict=True)])


def to_picture(image: Tensor) -> np.ndarray:
    """Return (H, W, 3) uint8 of a picture (3, H, W) in [0, 1]."""
    return (image.permute(1, 2, 0).clamp(0, 1) * 255).round().byte().numpy()
