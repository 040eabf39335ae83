"""Batches for a generator's training: a target crop, and the identity vector of a source.

Targets come from the colour packs. Sources are all faces, grey and tight ones too: of them only the vector is used.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..errors import UsageError
from .augment import degrade_batch, draw_moves, moved
from .data import FaceSet, load_packs, moved_crop, to_tensor
from .options import TrainOptions
from .pack import read_rows
from .prepare import packed

REDRAWS = 100  # at most, until source and target are different people: there may be one person only


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """What one step sees."""

    target: Tensor  # (N, 3, S, S) float32 in [0, 1]
    outside: Tensor  # (N, 1, S, S) float32: 1 where nothing may change
    identity: Tensor  # (N, D) L2 norm 1: what is injected
    wanted: Tensor  # (N, D) the source as the drawn encoder sees it
    unwanted: Tensor  # (N, D) the target's own person as the drawn encoder sees it
    encoder: int  # which encoder was drawn
    same: bool  # source and target are the same person


class SwapData:
    """The faces of a run with their identity vectors; pictures lie as uint8 on the device that trains."""

    def __init__(
        self, faces: FaceSet, targets: np.ndarray, embeddings: Tensor, size: int, device: torch.device | None = None
    ) -> None:
        self.faces = faces
        self.size = size
        self.device = device or torch.device("cpu")
        self.embeddings = embeddings  # (E, N, D), L2 norm 1
        self.targets = np.flatnonzero(targets & ~faces.held_out)
        self.sources = np.flatnonzero(~faces.held_out)
        unseen = faces.held_out if faces.held_out.any() else ~faces.held_out
        self.unseen_targets = np.flatnonzero(targets & unseen)
        self.unseen_sources = np.flatnonzero(unseen)
        self._pictures = torch.from_numpy(faces.images[self.targets]).permute(0, 3, 1, 2).to(self.device)
        self._outside = torch.from_numpy(faces.outside[self.targets])[:, None].to(self.device)
        self._known = embeddings.to(self.device)
        self._by_person = np.argsort(faces.people, kind="stable")  # rows, those of one person side by side
        numbers, self._count = np.unique(faces.people, return_counts=True)
        self._first = np.concatenate([[0], np.cumsum(self._count)[:-1]])
        self._number = np.searchsorted(numbers, faces.people)

    def draw(self, count: int, *, same: bool, generator: np.random.Generator) -> Batch:
        """Draw a batch of one kind: source and target of one person, or of different people."""
        places = generator.integers(len(self.targets), size=count)
        rows = self.targets[places]
        sources = self._draw_own(rows, generator) if same else self._draw_others(rows, generator)
        encoder = int(generator.integers(len(self.embeddings)))
        target, outside = self._draw_targets(torch.from_numpy(places).to(self.device))
        return Batch(
            target=target,
            outside=outside,
            identity=self._mixed(sources, generator),
            wanted=self._known[encoder, sources],
            unwanted=self._known[encoder, rows],
            encoder=encoder,
            same=same,
        )

    def still(self, targets: np.ndarray, sources: np.ndarray) -> tuple[Tensor, Tensor]:
        """Return crops (N, 3, S, S) and identities (N, D) of chosen rows as they are, for measuring."""
        crops = to_tensor([moved_crop(self.faces.images[row], np.zeros(4), self.size) for row in targets])
        return crops, functional.normalize(self.embeddings[:, sources].mean(dim=0))

    def _draw_own(self, rows: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """Draw for each row a face of the same person, itself among them."""
        person = self._number[rows]
        nth = (generator.random(len(rows)) * self._count[person]).astype(np.int64)
        return self._by_person[self._first[person] + nth]

    def _draw_others(self, rows: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """Draw for each row a face of somebody else, where there is anybody else."""
        sources = generator.choice(self.sources, len(rows))
        for _ in range(REDRAWS):
            own = self.faces.people[sources] == self.faces.people[rows]
            if not own.any():
                break
            sources[own] = generator.choice(self.sources, int(own.sum()))
        return sources

    def _draw_targets(self, places: Tensor) -> tuple[Tensor, Tensor]:
        """Return target crops and where nothing may change, moved alike, the crops damaged on top."""
        pictures = self._pictures[places].float() / 255
        moves = draw_moves(len(places), self.device, degrees=3, scale=0.04, shift=0.015)
        crops = degrade_batch(moved(pictures, moves, self.size), strength=0.3)
        outside = moved(self._outside[places].float(), moves, self.size)
        return crops.contiguous(memory_format=torch.channels_last), outside

    def _mixed(self, sources: np.ndarray, generator: np.random.Generator) -> Tensor:
        """Return the sources' vectors as one encoder sees them, or between two: the generator serves any of them."""
        weights = generator.dirichlet(np.full(len(self.embeddings), 0.3), len(sources)).astype(np.float32)
        mixed = torch.einsum("ne,end->nd", torch.from_numpy(weights).to(self.device), self._known[:, sources])
        return functional.normalize(mixed)


def load_swap_faces(options: TrainOptions, size: int) -> tuple[FaceSet, np.ndarray]:
    """Return all faces of a run and which of them can be targets; raw folders are prepared into packs first."""
    packs = tuple(packed(folder, options) for folder in options.data)
    sources = tuple(packed(folder, options) for folder in options.sources)
    faces = load_packs(packs + sources, round(1.25 * size))
    in_colour = ~faces.grey
    in_colour[sum(len(read_rows(pack)) for pack in packs) :] = False
    if not (in_colour & ~faces.held_out).any():
        raise UsageError("no face of --data is in colour: grey ones serve as sources only")
    return faces, in_colour
