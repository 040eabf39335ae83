"""Batches for a generator's training: a target crop, the identity vector of a source and the source's portrait.

Targets come from the colour packs. Sources are all faces, grey and tight ones too. Portraits are damaged and lit anew,
so that a generator learns to bring one to the target's light even where source and target are one picture.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ...errors import UsageError
from ..core.options import TrainOptions
from .augment import degrade_batch, draw_moves, move_points, moved
from .face_set import FaceSet, load_packs, moved_crop, to_tensor
from .pack import read_rows
from .portraits import Portraits, lay
from .prepare import packed

REDRAWS = 100  # at most, until source and target are different people: there may be one person only


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """What one step sees."""

    target: Tensor  # (N, 3, S, S) float32 in [0, 1]
    outside: Tensor  # (N, 1, S, S) float32: 1 where nothing may change
    identity: Tensor  # (N, D) L2 norm 1: what is injected
    portrait: Tensor  # (N, 4, S, S) in [0, 1]: the source laid over the target, and how far it may be used
    wanted: Tensor  # (N, D) the source as the drawn encoder sees it
    unwanted: Tensor  # (N, D) the target's own person as the drawn encoder sees it
    encoder: int  # which encoder was drawn
    same: bool  # source and target are the same person


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """What was found out about every face of a run beforehand."""

    embeddings: Tensor  # (E, N, D) L2 norm 1: as each encoder sees it
    portraits: Portraits


class SwapData:
    """The faces of a run with their identity vectors; pictures lie as uint8 on the device that trains."""

    def __init__(self, faces: FaceSet, targets: np.ndarray, known: Known, size: int, device: torch.device) -> None:
        embeddings, portraits = known.embeddings, known.portraits
        self.faces = faces
        self.size = size
        self.device = device
        self.embeddings = embeddings  # (E, N, D), L2 norm 1
        self.targets = np.flatnonzero(targets & ~faces.held_out)
        self.sources = np.flatnonzero(~faces.held_out)
        unseen = faces.held_out if faces.held_out.any() else ~faces.held_out
        self.unseen_targets = np.flatnonzero(targets & unseen)
        self.unseen_sources = np.flatnonzero(unseen)
        self._pictures = torch.from_numpy(faces.images).permute(0, 3, 1, 2).to(self.device)
        self._laid = torch.from_numpy(portraits.images).permute(0, 3, 1, 2).to(self.device)
        self._outside = torch.from_numpy(faces.outside)[:, None].to(self.device)
        self._points = torch.from_numpy(portraits.points).to(self.device)
        self._usable = torch.from_numpy(portraits.usable)[:, None].to(self.device)
        self._replaced = torch.from_numpy(portraits.replaced)[:, None].to(self.device)
        self._known = embeddings.to(self.device)
        self._by_person = np.argsort(faces.people, kind="stable")  # rows, those of one person side by side
        numbers, self._count = np.unique(faces.people, return_counts=True)
        self._first = np.concatenate([[0], np.cumsum(self._count)[:-1]])
        self._number = np.searchsorted(numbers, faces.people)

    def draw(self, count: int, *, same: bool, generator: np.random.Generator) -> Batch:
        """Draw a batch of one kind: source and target of one person, or of different people."""
        rows = generator.choice(self.targets, count)
        sources = self._draw_own(rows, generator) if same else self._draw_others(rows, generator)
        encoder = int(generator.integers(len(self.embeddings)))
        moves = draw_moves(count, self.device, degrees=3, scale=0.04, shift=0.015)
        target, outside = self._draw_targets(rows, moves)
        return Batch(
            target=target,
            outside=outside,
            identity=self._mixed(sources, generator),
            portrait=self._draw_portraits(rows, moves, sources, strength=1.0 if same else 0.3),
            wanted=self._known[encoder, sources],
            unwanted=self._known[encoder, rows],
            encoder=encoder,
            same=same,
        )

    def still(self, targets: np.ndarray, sources: np.ndarray) -> tuple[Tensor, Tensor, Tensor]:
        """Return crops (N, 3, S, S), identities (N, D) and portraits (N, 4, S, S) as they are, for measuring."""
        crops = to_tensor([moved_crop(self.faces.images[row], np.zeros(4), self.size) for row in targets])
        layers = self._layers(sources, self._laid[sources].float() / 255)
        laid = lay(layers, self._points[sources], self._points[targets], self.size)
        covered = functional.interpolate(self._replaced[targets].float() / 255, size=laid.shape[-2:], mode="bilinear")
        laid[:, 3:] *= covered
        return crops, functional.normalize(self.embeddings[:, sources].mean(dim=0)), laid.cpu()

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

    def _draw_targets(self, rows: np.ndarray, moves: Tensor) -> tuple[Tensor, Tensor]:
        """Return target crops and where nothing may change, moved alike, the crops damaged on top."""
        crops = degrade_batch(moved(self._pictures[rows].float() / 255, moves, self.size), strength=0.3)
        outside = moved(self._outside[rows].float(), moves, self.size)
        return crops.contiguous(memory_format=torch.channels_last), outside

    def _draw_portraits(self, rows: np.ndarray, moves: Tensor, sources: np.ndarray, strength: float) -> Tensor:
        """Return the sources' portraits, half of them mirrored, laid over the moved targets."""
        pictures = degrade_batch(self._laid[sources].float() / 255, strength)
        layers, origins = self._layers(sources, pictures), self._points[sources]
        own = draw_moves(len(sources), self.device, degrees=0, scale=0, shift=0)  # mirrors every second one
        layers, origins = moved(layers, own, layers.shape[-1]), move_points(origins, own)
        laid = lay(layers, origins, move_points(self._points[rows], moves), self.size)
        covered = moved(self._replaced[rows].float() / 255, moves, self.size)
        return torch.cat([laid[:, :3], laid[:, 3:] * covered], dim=1).contiguous(memory_format=torch.channels_last)

    def _layers(self, rows: np.ndarray, pictures: Tensor) -> Tensor:
        return torch.cat([pictures, self._usable[rows].float() / 255], dim=1)

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
