"""Batches for a generator's training: a target crop, and the identity vector of a source.

Targets come from the colour packs. Sources are all faces, grey and tight ones too: of them only the vector is used.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..errors import UsageError
from .data import FaceSet, draw_jitter, load_packs, moved_crop, to_tensor
from .degrade import degrade
from .options import TrainOptions
from .pack import read_rows
from .prepare import packed


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

    def to(self, device: torch.device) -> "Batch":
        """Return the batch with its tensors on a device."""
        names = ("target", "outside", "identity", "wanted", "unwanted")
        return replace(self, **{name: getattr(self, name).to(device, non_blocking=True) for name in names})


class SwapData:
    """The faces of a run with their identity vectors."""

    def __init__(self, faces: FaceSet, targets: np.ndarray, embeddings: Tensor, size: int) -> None:
        self.faces = faces
        self.size = size
        self.embeddings = embeddings  # (E, N, D), L2 norm 1
        self.targets = np.flatnonzero(targets & ~faces.held_out)
        self.sources = np.flatnonzero(~faces.held_out)
        unseen = faces.held_out if faces.held_out.any() else ~faces.held_out
        self.unseen_targets = np.flatnonzero(targets & unseen)
        self.unseen_sources = np.flatnonzero(unseen)
        self._of_person = {person: np.flatnonzero(faces.people == person) for person in np.unique(faces.people)}

    def draw(self, count: int, *, same: bool, generator: np.random.Generator) -> Batch:
        """Draw a batch of one kind: source and target of one person, or of different people."""
        rows = generator.choice(self.targets, count)
        sources = np.array([self._draw_source(row, same, generator) for row in rows])
        crops, outsides = zip(*(self._draw_target(row, generator) for row in rows), strict=True)
        encoder = int(generator.integers(len(self.embeddings)))
        return Batch(
            target=to_tensor(list(crops)),
            outside=torch.from_numpy(np.stack(outsides)).float()[:, None],
            identity=self._mixed(sources, generator),
            wanted=self.embeddings[encoder, sources],
            unwanted=self.embeddings[encoder, rows],
            encoder=encoder,
            same=same,
        )

    def still(self, targets: np.ndarray, sources: np.ndarray) -> tuple[Tensor, Tensor]:
        """Return crops (N, 3, S, S) and identities (N, D) of chosen rows as they are, for measuring."""
        crops = to_tensor([moved_crop(self.faces.images[row], np.zeros(4), self.size) for row in targets])
        return crops, functional.normalize(self.embeddings[:, sources].mean(dim=0))

    def _draw_source(self, target: int, same: bool, generator: np.random.Generator) -> int:
        person = self.faces.people[target]
        if same:
            return int(generator.choice(self._of_person[person]))
        for _ in range(100):
            row = int(generator.choice(self.sources))
            if self.faces.people[row] != person:
                return row
        return row

    def _draw_target(self, row: int, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        jitter = draw_jitter(generator, degrees=3, scale=0.04, shift=0.015 * self.size)
        crop = moved_crop(self.faces.images[row], jitter, self.size)
        outside = moved_crop(self.faces.outside[row], jitter * (1, 1, 0.5, 0.5), self.size)
        if generator.random() < 0.5:
            crop, outside = np.ascontiguousarray(crop[:, ::-1]), np.ascontiguousarray(outside[:, ::-1])
        return degrade(crop, generator, strength=0.3), outside

    def _mixed(self, sources: np.ndarray, generator: np.random.Generator) -> Tensor:
        """Return the sources' vectors as one encoder sees them, or between two: the generator serves any of them."""
        weights = generator.dirichlet(np.full(len(self.embeddings), 0.3), len(sources)).astype(np.float32)
        mixed = torch.einsum("ne,end->nd", torch.from_numpy(weights), self.embeddings[:, sources])
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
