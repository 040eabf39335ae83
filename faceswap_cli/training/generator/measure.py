"""How a generator does on people it never saw: a row for the log, a score, and a sheet to look at."""

import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ...engines.select import open_network
from ...evaluation.measures import pose_error, psnr, retrieval, squared_error
from ...evaluation.turn import turn_of
from ...portrait.landmarks import BRIDGE, CHIN, EYES, INNER_LIPS, LandmarkFinder
from ...store import models
from ..core.sheets import write_sheet
from ..data.swap_data import SwapData
from ..teachers.identity_judge import IdentityJudge

PAIRS, SHOWN = 64, 8
NOT_MEASURED = dict.fromkeys(
    ("cosine_source", "cosine_target", "retrieval", "still_target", "pose_degrees", "apertures", "self_psnr", "score"),
    math.nan,
)  # the measures, where a row of the log has none
DECIBELS, DEGREES = 100.0, 50.0  # that weigh as much as a cosine of 1 in the score
SAME = 60.0  # decibels from which pictures count as the same


@torch.no_grad()
def measure(generator: nn.Module, judge: IdentityJudge, data: SwapData, sheet: Path) -> dict[str, float]:
    """Swap fixed pairs of the tuning people and return what `evaluate` calls the same, beside `apertures` and `score`.

    Who is seen is said by the training's own encoders, where a head turns and how far eyes and mouth are open (a share
    of the face's height) by the embedded landmarks: curves to watch and a score to choose a checkpoint by, not figures
    to quote. The sheet shows source, target, swap and self-swap, one pair a column.
    """
    draw = np.random.default_rng(1)
    targets = draw.choice(data.unseen_targets, min(PAIRS, len(data.unseen_targets)), replace=False)
    sources = draw.choice(data.unseen_sources, len(targets), replace=len(data.unseen_sources) < len(targets))
    crops, identities = data.still(targets, sources)
    _, own = data.still(targets, targets)
    device = next(generator.parameters()).device
    swapped = _generate(generator, crops.to(device), identities.to(device))
    again = _generate(generator, crops.to(device), own.to(device)).cpu()
    pictures = torch.from_numpy(data.faces.images[sources[:SHOWN]]).permute(0, 3, 1, 2) / 255
    shown_sources = functional.interpolate(pictures, size=crops.shape[-2:], mode="bilinear", antialias=True)
    columns = [part[:SHOWN].cpu() for part in (shown_sources, crops, swapped, again)]
    write_sheet(sheet, [[to_picture(image) for image in row] for row in columns])
    found = torch.stack([judge.look(swapped, index).cpu() for index in range(len(judge.encoders))])
    errors = [squared_error(to_picture(one), to_picture(other)) for one, other in zip(crops, again, strict=True)]
    measures = {
        "cosine_source": float((found * _vectors(data, sources)).sum(-1).mean()),
        "cosine_target": float((found * _vectors(data, targets)).sum(-1).mean()),
        **nearest(functional.normalize(found.mean(dim=0)).numpy(), identities.numpy(), own.numpy()),
        **shape_changes(crops, swapped.cpu()),
        "self_psnr": psnr(np.array(errors)),
    }
    return measures | {"score": score_of(measures)}


def score_of(measures: dict[str, float]) -> float:
    """Return what a checkpoint is chosen by: likeness to the source, less what the target's face lost by it."""
    return measures["cosine_source"] + min(measures["self_psnr"], SAME) / DECIBELS - measures["pose_degrees"] / DEGREES


def nearest(found: np.ndarray, sources: np.ndarray, targets: np.ndarray) -> dict[str, float]:
    """Return how often the nearest of all sources and targets (n, D) is a swap's source, and its target."""
    gallery, count = np.concatenate([sources, targets]), len(found)
    wanted = {"retrieval": 0, "still_target": count}
    return {
        name: float(np.mean([retrieval(found[[row]], row + first, gallery) for row in range(count)]))
        for name, first in wanted.items()
    }


def shape_changes(crops: Tensor, swapped: Tensor) -> dict[str, float]:
    """Return by how many degrees heads turned, and by how much eyes and mouths opened or closed."""
    finder = LandmarkFinder(open_network(models.locate("points"), "cpu", 1), models.entry("points"))
    before, after = (np.stack([finder.find(to_picture(image)) for image in part]) for part in (crops, swapped))
    turns = [np.stack([turn_of(points) for points in part]) for part in (before, after)]
    change = np.abs(_apertures(before) - _apertures(after)).mean()
    return {"pose_degrees": pose_error(*turns), "apertures": float(change)}


def _apertures(points: np.ndarray) -> np.ndarray:
    """Return the apertures of mouth, left and right eye (n, 3) of points (n, 66, 2), shares from bridge to chin."""
    upper, lower = INNER_LIPS[len(INNER_LIPS) // 2]
    pairs = [(points[:, upper], points[:, lower])]
    for eye in EYES:
        lids = points[:, eye]  # corner, two above, corner, two below
        pairs.append(((lids[:, 1] + lids[:, 2]) / 2, (lids[:, 4] + lids[:, 5]) / 2))
    height = np.linalg.norm(points[:, BRIDGE] - points[:, CHIN], axis=1)
    return np.stack([np.linalg.norm(above - below, axis=1) / height for above, below in pairs], axis=1)


def _vectors(data: SwapData, rows: np.ndarray) -> Tensor:
    """Return the vectors (E, n, D) of rows."""
    return torch.stack([data.vectors(index, rows) for index in range(len(data.embeddings))])


def _generate(generator: nn.Module, crops: Tensor, identities: Tensor) -> Tensor:
    return torch.cat([generator(*part) for part in zip(crops.split(16), identities.split(16), strict=True)])


def to_picture(image: Tensor) -> np.ndarray:
    """Return (H, W, 3) uint8 of a picture (3, H, W) in [0, 1]."""
    return (image.permute(1, 2, 0).clamp(0, 1) * 255).round().byte().numpy()
