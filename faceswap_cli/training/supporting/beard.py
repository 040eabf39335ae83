"""Train the beard head of the landmark network, from photos labelled by hand.

The rest of the network is frozen, so its landmarks do not change. A photo has one label; the head scores each part of
the lower face, and the highest score counts (multiple-instance learning). Beards are rare, so a part of each batch is
hard negatives: the beardless faces that the head scores highest.
"""

from collections.abc import Generator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ...errors import UsageError
from ...networks.points import FacePoints
from ..core.averaged import Averaged, begin
from ..core.options import TrainOptions
from ..core.run import Run, start_torch
from ..core.settings import BeardSettings, read_record
from ..core.sheets import in_rows, write_sheet
from ..data.array_like import ArrayLike
from ..data.augment import degrade_batch, draw_moves, moved
from ..data.face_set import in_parts, load_packs, to_bytes
from ..data.pack import read_rows
from ..data.prepare import packed
from .loop import Task, Usual, teach, write_scores
from .points import AVERAGE_DECAY, PICTURE_SIZE, read_points

USUAL = Usual(steps=2500, batch=32, rate=2e-3)
WIDTH = 32  # channels of the head
BEARDED, HARD = 0.375, 0.375  # shares of a batch: bearded faces, and hard negatives
HARDEST = 0.06  # share of the beardless faces that are hard negatives
LOOKED_ANEW = 250  # steps after which hard negatives are searched anew; at checkpoints too: a resumed run is exact
SURE = 0.98  # the probability that a label stands for (label smoothing): some are wrong
TOLD = 0.85  # probability from which the scores count a beard as found; a swap then keeps half of it
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
    labels = Labels(*_split(names, read_record(options.config, BeardSettings)), faces.held_out)
    state = _start(read_points(options.init_from or run.last), device)
    return teach(BeardTask(state, faces.images, labels, options), run, options)


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """What is known of the pictures, each (N,) bool."""

    bearded: np.ndarray
    plain: np.ndarray  # surely without a beard
    held_out: np.ndarray  # never trained on


@dataclass(slots=True, eq=False)
class BeardTask(Task[tuple[Tensor, Tensor], dict[str, float]]):
    """Tell bearded faces from others."""

    state: Averaged[FacePoints]
    pictures: ArrayLike  # (N, H, W, 3) uint8
    labels: Labels
    options: TrainOptions
    kind: str = "points"
    usual: Usual = USUAL

    def draw(self, count: int, step: int) -> Generator[tuple[Tensor, Tensor], None, None]:
        """Yield pictures (B, 3, H, W) uint8 and their labels (B, 1), 1 for a beard."""
        bearded, plain = (
            np.flatnonzero(each & ~self.labels.held_out) for each in (self.labels.bearded, self.labels.plain)
        )
        first, device = step, next(self.state.network.parameters()).device
        while True:
            if step == first or step % LOOKED_ANEW == 0 or step % self.options.save_every == 0:
                hard = hardest(self.state.average, self.pictures, plain)
            torch.manual_seed(self.options.seed + step)
            rows, wanted = draw(bearded, plain, hard, count, np.random.default_rng([self.options.seed, step]))
            yield to_bytes(self.pictures[rows]).to(device), torch.from_numpy(wanted).to(device)
            step += 1

    def loss(self, batch: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
        """Return the head's loss, with labels smoothed to `SURE`."""
        network, (pictures, wanted) = self.state.network, batch
        assert network.beard is not None
        moves = draw_moves(len(pictures), pictures.device, degrees=6, scale=0.06, shift=0.03)
        with torch.no_grad():
            features = network.seen(degrade_batch(moved(pictures.float() / 255, moves, network.config.size), DAMAGE))
        network.beard.train()
        target = wanted * SURE + (1 - wanted) * (1 - SURE)
        return {"loss": functional.binary_cross_entropy_with_logits(network.beard(*features[:2]), target)}

    def measure(self, folder: Path, sheet: Path) -> dict[str, float]:
        """Measure on the people held out."""
        bearded, held_out = self.labels.bearded, self.labels.held_out
        rows = np.flatnonzero((held_out if held_out.any() else ~held_out) & (bearded | self.labels.plain))
        scores = measure(self.state.average, self.pictures, (rows, bearded[rows]), sheet)
        write_scores(folder, scores)
        return scores


def draw(
    bearded: np.ndarray, plain: np.ndarray, hard: np.ndarray, count: int, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows (count,) of a batch and their labels (count, 1) float32: 1 for a beard."""
    ones, hards = max(1, round(BEARDED * count)), round(HARD * count)
    rows = [generator.choice(bearded, ones), generator.choice(hard, hards)]
    rows.append(generator.choice(plain, count - ones - hards))
    return np.concatenate(rows), (np.arange(count) < ones)[:, None].astype(np.float32)


def hardest(network: FacePoints, pictures: ArrayLike, rows: np.ndarray) -> np.ndarray:
    """Return those of the rows of pictures (N, H, W, 3) uint8 that look most like beards."""
    order = np.argsort(-tell(network, pictures, rows), kind="stable")
    return rows[order[: max(1, round(HARDEST * len(rows)))]]


@torch.no_grad()
def tell(network: FacePoints, pictures: ArrayLike, rows: np.ndarray) -> np.ndarray:
    """Return how surely rows (K,) of pictures (N, H, W, 3) uint8 show beards, (K,) in [0, 1]."""
    assert network.beard is not None
    network.eval()
    size, device = (network.config.size, network.config.size), next(network.parameters()).device
    found = []
    for part in in_parts(rows):
        seen = to_bytes(pictures[part]).to(device).float() / 255
        small = functional.interpolate(seen, size=size, mode="bilinear", antialias=True)
        found.append(torch.sigmoid(network.beard(*network.seen(small)[:2]))[:, 0].cpu())
    return torch.cat(found).numpy()


def measure(
    network: FacePoints, pictures: ArrayLike, labelled: tuple[np.ndarray, np.ndarray], sheet: Path
) -> dict[str, float]:
    """Return how well beards are told: the area under the curve, found and mistaken from `TOLD` on.

    `labelled` are rows (K,) of the pictures (N, H, W, 3) uint8, and which of them show beards, (K,) bool. The sheet
    shows the faces that look most like one.
    """
    rows, bearded = labelled
    found = tell(network, pictures, rows)
    order = rows[np.argsort(-found)[:48]]
    write_sheet(sheet, in_rows([pictures[int(row)] for row in order], 8))
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
