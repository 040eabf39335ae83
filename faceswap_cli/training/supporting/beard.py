"""Teach the face points to tell a beard: a small head learns from pictures that somebody looked at.

Nothing else of the network changes, so its points stay what they are. Pictures are labelled as a whole; the head looks
for the part of the lower face that is most like a beard (multiple-instance learning). Few faces have one, so a part of
each batch is drawn from those of the others that look most like it.
"""

import json
import time
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ...errors import UsageError
from ...networks.points import FacePoints
from ..core.averaged import Averaged, begin
from ..core.checkpoint import load, save
from ..core.options import TrainOptions
from ..core.run import Run, start_torch, write_sheet
from ..core.settings import BeardSettings, read_record
from ..data.augment import degrade_batch, draw_moves, moved
from ..data.face_set import load_packs
from ..data.pack import read_rows
from ..data.prepare import packed
from .points import AVERAGE_DECAY, PICTURE_SIZE, read_points

STEPS, BATCH, LEARNING_RATE = 2500, 32, 2e-3
WIDTH = 32  # channels of the head
BEARDED, HARD = 0.375, 0.375  # shares of a batch: with a beard, and without but like one
HARDEST = 0.06  # share of the faces without that are hard
LOOKED_ANEW = 250  # steps after which that is told anew, and at every checkpoint: a run goes on exactly
SURE = 0.98  # what a label is worth: some are wrong
TOLD = 0.85  # how surely there is a beard from which the scores take it for told: half of one is then kept in a swap
DAMAGE = 0.7  # strength of `augment.degrade_batch`


def train(options: TrainOptions) -> dict[str, float]:
    """Train the head until the steps or the minutes are used up, then measure on people never trained on."""
    if options.config is None or (options.init_from is None and not options.resume):
        raise UsageError(
            "a beard is learnt on top of points: give --init-from points.onnx and --config FILE with labels"
        )
    run = Run(options)
    device = start_torch(options)
    packs = tuple(packed(folder, options) for folder in options.data)
    faces = load_packs(packs, PICTURE_SIZE)
    names = [row.source for folder in packs for row in read_rows(folder)]
    bearded, plain = _split(names, read_record(options.config, BeardSettings))
    learn = ~faces.held_out
    pictures = torch.from_numpy(faces.images).permute(0, 3, 1, 2).to(device)
    state = _start(read_points(options.init_from or run.last), device)
    if options.resume:
        state.restore(load(run.last))
    batch, began = options.batch or BATCH, (time.monotonic(), state.progress)
    with_one, without = np.flatnonzero(bearded & learn), np.flatnonzero(plain & learn)
    hard = hardest(state.average, pictures, without)
    run.start(state.step, batch)

    while state.progress < 1:
        generator = np.random.default_rng([options.seed, state.step])  # every step has its own: a run goes on exactly
        torch.manual_seed(options.seed + state.step)
        rows, wanted = draw(with_one, without, hard, batch, generator)
        loss = _learn(state, pictures[rows], torch.from_numpy(wanted).to(device), state.rate(options, LEARNING_RATE))
        state.advance(options, STEPS, began)
        if state.step % 50 == 0:
            run.log({"step": state.step, "loss": loss, "images_per_second": run.images_per_second(state.step)})
        saved = state.step % options.save_every == 0 or state.progress >= 1
        if saved:
            save(run.last, state.checkpoint("points", asdict(state.network.config)))
        if saved or state.step % LOOKED_ANEW == 0:
            hard = hardest(state.average, pictures, without)
    rows = np.flatnonzero((faces.held_out if faces.held_out.any() else learn) & (bearded | plain))
    scores = measure(state.average, pictures[rows], bearded[rows], run.folder / "samples" / f"{state.step:06d}.png")
    (run.folder / "scores.json").write_text(json.dumps(scores, indent=1) + "\n")
    return scores


def draw(
    bearded: np.ndarray, plain: np.ndarray, hard: np.ndarray, count: int, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows (count,) of a batch and what is wanted of them, (count, 1) float32: 1 for a beard."""
    ones, hards = max(1, round(BEARDED * count)), round(HARD * count)
    rows = [generator.choice(bearded, ones), generator.choice(hard, hards)]
    rows.append(generator.choice(plain, count - ones - hards))
    return np.concatenate(rows), (np.arange(count) < ones)[:, None].astype(np.float32)


def hardest(network: FacePoints, pictures: Tensor, rows: np.ndarray) -> np.ndarray:
    """Return those of the rows of pictures (N, 3, H, W) uint8 that look most like beards."""
    order = np.argsort(-tell(network, pictures[rows]), kind="stable")
    return rows[order[: max(1, round(HARDEST * len(rows)))]]


@torch.no_grad()
def tell(network: FacePoints, pictures: Tensor) -> np.ndarray:
    """Return how surely pictures (N, 3, H, W) uint8 show beards, (N,) in [0, 1]."""
    assert network.beard is not None
    network.eval()
    size = (network.config.size, network.config.size)
    found = []
    for part in pictures.split(64):
        small = functional.interpolate(part.float() / 255, size=size, mode="bilinear", antialias=True)
        found.append(torch.sigmoid(network.beard(*network.seen(small)[:2]))[:, 0].cpu())
    return torch.cat(found).numpy()


def measure(network: FacePoints, pictures: Tensor, bearded: np.ndarray, sheet: Path) -> dict[str, float]:
    """Return how well beards (N,) bool are told: the area under the curve, found and mistaken from `TOLD` on.

    The sheet shows the faces that look most like one.
    """
    found = tell(network, pictures)
    order = np.argsort(-found)[:48]
    shown = [np.ascontiguousarray(pictures[row].permute(1, 2, 0).cpu().numpy()) for row in order]
    if len(shown) >= 8:
        write_sheet(sheet, [shown[at : at + 8] for at in range(0, len(shown) // 8 * 8, 8)])
    ones, others = found[bearded], found[~bearded]
    nan = float("nan")
    return {
        "bearded": float(bearded.sum()),
        "others": float((~bearded).sum()),
        "area": float((ones[:, None] > others).mean()) if ones.size and others.size else nan,
        "found": float((ones > TOLD).mean()) if ones.size else nan,
        "mistaken": float((others > TOLD).mean()) if others.size else nan,
    }


def _split(names: list[str], settings: BeardSettings) -> tuple[np.ndarray, np.ndarray]:
    """Return which pictures (N,) show a beard and which surely none."""
    bearded, unsure = (np.isin(names, wanted) for wanted in (settings.bearded, settings.unsure))
    if not bearded.any() or bearded.all():
        raise UsageError(f"of {len(names)} pictures {int(bearded.sum())} are named as bearded: some must be, not all")
    return bearded & ~unsure, ~bearded & ~unsure


def _start(points: FacePoints, device: torch.device) -> Averaged[FacePoints]:
    """Return the network with a head, all else frozen."""
    network = points
    if points.beard is None:
        network = FacePoints(replace(points.config, beard=WIDTH))
        network.load_state_dict(points.state_dict(), strict=False)
    state = begin(network, device, AVERAGE_DECAY)
    assert state.network.beard is not None
    state.network.eval().requires_grad_(False)
    state.network.beard.requires_grad_(True)
    state.optimiser = torch.optim.AdamW(state.network.beard.parameters(), weight_decay=1e-3)
    return state


def _learn(state: Averaged[FacePoints], pictures: Tensor, wanted: Tensor, rate: float) -> float:
    """Do one step of the optimiser and of the average."""
    head, size = state.network.beard, state.network.config.size
    assert head is not None
    moves = draw_moves(len(pictures), pictures.device, degrees=6, scale=0.06, shift=0.03)
    with torch.no_grad():
        features = state.network.seen(degrade_batch(moved(pictures.float() / 255, moves, size), DAMAGE))[:2]
    head.train()
    target = wanted * SURE + (1 - wanted) * (1 - SURE)
    loss = functional.binary_cross_entropy_with_logits(head(*features), target)
    state.descend(loss, rate)
    head.eval()
    return loss.item()
