"""Batches for a generator's training: a target crop, a source's identity vector and, for a painter, its portrait.

Targets come from the colour packs. Sources are all faces, grey and tight ones too. Portraits are damaged and lit anew,
so that a generator learns to bring one to the target's light even where source and target are one picture. What a step
draws is read by `read`, in another process where there are cores for it, and made a batch of by `assemble`.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ...errors import UsageError
from ..core.loader import read_ahead
from ..core.options import TrainOptions
from ..core.run import draws_of
from .array_like import ArrayLike
from .augment import degrade_batch, draw_moves, move_points, moved
from .face_set import FaceSet, as_faces, moved_crop, to_tensor
from .packs import Packs
from .portraits import Portraits, warp
from .prepare import packed
from .sampler import PersonSampler

ROOM = 1.25  # sides of the crops that are read, in sides of those that are trained on: to turn and shift in


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """What one step sees."""

    target: Tensor  # (N, 3, S, S) float32 in [0, 1]
    outside: Tensor  # (N, 1, S, S) float32: 1 where nothing may change
    identity: Tensor  # (N, D) L2 norm 1: what is injected
    portrait: Tensor | None  # (N, 4, S, S) in [0, 1]: the source warped to the target, and how far it may be used
    wanted: Tensor  # (N, D) the source as the drawn encoder sees it
    unwanted: Tensor  # (N, D) the target's own person as the drawn encoder sees it
    encoder: int  # which encoder was drawn
    same: bool  # source and target are the same person


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """What was found out about every face of a run beforehand."""

    targets: np.ndarray  # (N,) bool: which may be targets
    embeddings: Sequence[ArrayLike] | Tensor  # of each encoder, (N, D) L2 norm 1
    portraits: Portraits | None = None  # where a painter is to be taught from


class Shown(NamedTuple):
    """What portraits are warped by, of N targets and N sources."""

    coverage: Tensor  # (N, R, R) uint8 of the targets, see `Portraits`
    places: Tensor  # (N, 66, 2) float32, points of the targets
    portraits: Tensor  # (N, R, R, 3) uint8 of the sources
    valid: Tensor  # (N, R, R) uint8 of the sources, see `Portraits`
    origins: Tensor  # (N, 66, 2) float32, points of the sources


class Read(NamedTuple):
    """What one step draws, as it lies on disk: N targets and N sources."""

    pictures: Tensor  # (N, R, R, 3) uint8 of the targets
    outside: Tensor  # (N, 64, 64) uint8 of the targets
    identity: Tensor  # as in `Batch`
    wanted: Tensor
    unwanted: Tensor
    encoder: int
    same: bool
    shown: Shown | None  # where there are portraits


Batches = Generator[Read, None, None]


class SwapData:
    """The faces of a run with their identity vectors; memory holds what is drawn."""

    def __init__(self, faces: FaceSet, known: Known, size: int, device: torch.device, balance: float) -> None:
        self.faces, self.size, self.device = faces, size, device
        self.embeddings, self._portraits = known.embeddings, known.portraits
        targets, learnt = known.targets, ~faces.held_out
        self._targets = PersonSampler(faces.people, np.flatnonzero(targets & learnt), balance)
        self._sources = PersonSampler(faces.people, np.flatnonzero(learnt), balance)
        unseen = faces.watched if (faces.watched & targets).any() else np.ones(len(faces), bool)
        self.unseen_targets = np.flatnonzero(targets & unseen)
        self.unseen_sources = np.flatnonzero(unseen)

    def draw(self, count: int, *, same: bool, generator: np.random.Generator) -> Batch:
        """Draw a batch of one kind: source and target of one person, or of different people."""
        return self.assemble(self.read(count, same=same, generator=generator))

    def batches(self, options: TrainOptions, worker: int, first: int, *, count: int, same_every: int) -> Batches:
        """Yield what every step of a worker draws from the first on, read ahead."""
        read = _StepReader(self, options.seed, worker, count, same_every)
        return read_ahead(read, first, options.readers, self.device)

    def read(self, count: int, *, same: bool, generator: np.random.Generator) -> Read:
        """Draw source and target of one person, or of different people, and read them."""
        rows = self._targets.draw(count, generator)
        sources = (self._sources.draw_same if same else self._sources.draw_others)(rows, generator)
        encoder = int(generator.integers(len(self.embeddings)))
        return Read(
            pictures=torch.from_numpy(self.faces.images[rows]),
            outside=torch.from_numpy(self.faces.outside[rows]),
            identity=self._mixed(sources, generator),
            wanted=self.vectors(encoder, sources),
            unwanted=self.vectors(encoder, rows),
            encoder=encoder,
            same=same,
            shown=None if self._portraits is None else _shown(self._portraits, rows, sources),
        )

    def assemble(self, read: Read) -> Batch:
        """Move, damage and warp what was read, on the device that trains."""
        there = {name: self._sent(getattr(read, name)) for name in Read._fields[:-3]}
        moves = draw_moves(len(read.pictures), self.device, degrees=3, scale=0.04, shift=0.015)
        target = degrade_batch(moved(_shares(there["pictures"]), moves, self.size), strength=0.3)
        return Batch(
            target=target.contiguous(memory_format=torch.channels_last),
            outside=moved(there["outside"][:, None].float(), moves, self.size),
            identity=there["identity"],
            portrait=None if read.shown is None else self._portrait(read.shown, moves, 1.0 if read.same else 0.3),
            wanted=there["wanted"],
            unwanted=there["unwanted"],
            encoder=int(read.encoder),
            same=bool(read.same),
        )

    def vectors(self, encoder: int, rows: np.ndarray) -> Tensor:
        """Return the vectors (n, D) of rows as one encoder sees them."""
        return torch.as_tensor(self.embeddings[encoder][rows])

    def still(self, targets: np.ndarray, sources: np.ndarray) -> tuple[Tensor, Tensor]:
        """Return crops (N, 3, S, S) and identities (N, D) as they are, for measuring."""
        crops = to_tensor([moved_crop(self.faces.images[row], np.zeros(4), self.size) for row in targets])
        means = torch.stack([self.vectors(encoder, sources) for encoder in range(len(self.embeddings))]).mean(dim=0)
        return crops, functional.normalize(means)

    def _sent(self, tensor: Tensor) -> Tensor:
        return tensor.to(self.device, non_blocking=True)

    def _portrait(self, shown: Shown, moves: Tensor, strength: float) -> Tensor:
        """Return the sources' portraits, half of them mirrored, warped to the moved targets."""
        shown = Shown(*map(self._sent, shown))
        pictures = degrade_batch(_shares(shown.portraits), strength)
        layers = torch.cat([pictures, _shares(shown.valid[..., None])], dim=1)
        own = draw_moves(len(layers), self.device, degrees=0, scale=0, shift=0)  # mirrors every second one
        layers, origins = moved(layers, own, layers.shape[-1]), move_points(shown.origins, own)
        warped = warp(layers, origins, move_points(shown.places, moves), self.size)
        coverage = moved(_shares(shown.coverage[..., None]), moves, self.size)
        return torch.cat([warped[:, :3], warped[:, 3:] * coverage], dim=1).contiguous(memory_format=torch.channels_last)

    def _mixed(self, sources: np.ndarray, generator: np.random.Generator) -> Tensor:
        """Return the sources' vectors as one encoder sees them, or between two: the generator serves any of them."""
        weights = generator.dirichlet(np.full(len(self.embeddings), 0.3), len(sources)).astype(np.float32)
        every = torch.stack([self.vectors(encoder, sources) for encoder in range(len(self.embeddings))])
        return functional.normalize(torch.einsum("ne,end->nd", torch.from_numpy(weights), every))


@dataclass(frozen=True, slots=True, eq=False)
class _StepReader:
    """Reads what a step of a worker draws, by the step's number."""

    data: SwapData
    seed: int
    worker: int
    count: int
    same_every: int

    def __call__(self, step: int) -> Read:
        generator = draws_of(self.seed, self.worker, step)
        return self.data.read(self.count, same=step % self.same_every == 0, generator=generator)


def load_swap_faces(options: TrainOptions, size: int, held_bytes: int) -> tuple[Packs, FaceSet, np.ndarray]:
    """Return the packs of a run, their faces at the size that is read, and which of them can be targets.

    Raw folders are prepared into packs first.
    """
    packs = Packs(tuple(packed(folder, options) for folder in (*options.data, *options.sources)))
    faces = as_faces(packs, round(ROOM * size), held_bytes)
    in_colour = ~faces.grey
    in_colour[sum(len(table) for table in packs.tables[: len(options.data)]) :] = False
    if not (in_colour & ~faces.held_out).any():
        raise UsageError("no face of --data is in colour: grey ones serve as sources only")
    return packs, faces, in_colour


def _shown(portraits: Portraits, targets: np.ndarray, sources: np.ndarray) -> Shown:
    """Read what the portraits of sources (N,) are warped to targets (N,) by."""
    tensor = torch.from_numpy
    return Shown(
        coverage=tensor(portraits.coverage_masks[targets]),
        places=tensor(portraits.points[targets]),
        portraits=tensor(portraits.images[sources]),
        valid=tensor(portraits.valid_masks[sources]),
        origins=tensor(portraits.points[sources]),
    )


def _shares(levels: Tensor) -> Tensor:
    """Return levels (N, H, W, C) uint8 as (N, C, H, W) float32 in [0, 1]."""
    return levels.permute(0, 3, 1, 2).float() / 255
