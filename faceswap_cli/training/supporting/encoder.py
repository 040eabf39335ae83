"""Distil the identity encoder: our MobileFaceNet learns to answer as its teacher does.

The teacher sees a crop; the student sees the same crop, or (every second one) a damaged or moved copy, so that it
answers for a poor picture what the teacher answers for a good one. Blends of two faces are new points for the teacher
to label: ten thousand pictures alone are few. At first every block learns by itself what the teacher's makes of its
input, then the whole learns the embedding, with hints on five inner maps (Romero et al. 2015). What is kept is a moving
average of the weights.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ...errors import UsageError
from ...networks.mobilefacenet import MobileFaceNet, imagenet_normalise
from ..core.averaged import Averaged, begin
from ..core.options import TrainOptions
from ..core.run import Run, autocast, start_torch
from ..data.degrade import degrade, through_jpeg
from ..data.face_set import FaceSet, draw_jitter, encoder_crop, load_packs, to_tensor
from ..data.prepare import packed
from ..teachers.encoders import load_encoder, read_encoder
from .loop import Task, Usual, teach

USUAL = Usual(steps=6000, batch=64, rate=3e-3)
PICTURE_SIZE = 192  # side of the crops held in memory
AVERAGE_DECAY = 0.998
HINTS = (5, 6, 12, 15, 16)  # maps of MobileFaceNet.maps: the last of each resolution and width
BLOCKWISE_SHARE = 0.3  # of the run, in which the blocks learn one by one
MIXED_SHARE = 0.5  # of the crops that are blends of two people


def train(options: TrainOptions) -> dict[str, float]:
    """Train until the steps or the minutes are used up; `options.teacher` is a MobileFaceNet state dict."""
    if options.teacher is None:
        raise UsageError("the encoder needs --teacher FILE: the state dict of a MobileFaceNet to imitate")
    run = Run(options)
    device = start_torch(options)
    faces = load_packs(tuple(packed(folder, options) for folder in options.data), PICTURE_SIZE)
    teacher = load_encoder(options.teacher).to(device)
    blockwise_share = BLOCKWISE_SHARE if options.init_from is None else 0.0
    return teach(EncoderTask(_start(options, device), teacher, faces, options.seed, blockwise_share), run, options)


@dataclass(slots=True, eq=False)
class EncoderTask(Task[tuple[Tensor, Tensor], dict[str, float]]):
    """Answer as the teacher does."""

    state: Averaged[MobileFaceNet]
    teacher: MobileFaceNet
    faces: FaceSet
    seed: int
    blockwise_share: float  # of the run, in which the blocks learn one by one
    kind: str = "encoder"
    usual: Usual = USUAL

    def configuration(self) -> dict[str, Any]:
        """Return how the run learns; the network has no choices."""
        return {"blockwise_share": self.blockwise_share}

    def restore(self, kept: dict[str, Any]) -> None:
        """Put a checkpoint back."""
        self.state.restore(kept)
        self.blockwise_share = kept["configuration"]["blockwise_share"]

    def draw(self, count: int, step: int) -> Generator[tuple[Tensor, Tensor], None, None]:
        """Yield what the teacher and what the student sees, see `draw_batch`."""
        training, device = self.faces.chosen(~self.faces.held_out), next(self.teacher.parameters()).device
        while True:
            torch.manual_seed(self.seed + step)
            clean, shown = draw_batch(training, count, np.random.default_rng((self.seed, step)))
            yield clean.to(device), shown.to(device)
            step += 1

    def loss(self, batch: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
        """Return the losses of the blocks at first, then of the whole."""
        clean, shown = batch
        self.state.network.train()
        if self.state.progress < self.blockwise_share:
            return blockwise_losses(self.state.network, self.teacher, clean)
        return end_to_end_losses(self.state.network, self.teacher, clean, shown)

    def measure(self, folder: Path, sheet: Path) -> dict[str, float]:
        """Measure against the teacher."""
        held_out = self.faces.held_out
        faces = self.faces.chosen(held_out if held_out.any() else ~held_out)
        return measure(self.state.average, self.teacher, faces, folder)


def draw_batch(faces: FaceSet, batch: int, generator: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Draw what the teacher and what the student sees, both (B, 3, 112, 112) in [0, 1].

    The first half is the same for both; of the second half all are damaged for the student, every other one is moved by
    about a twentieth of its side on top.
    """
    wanted, shown = [], []
    for index in range(batch):
        poor = index >= batch // 2
        clean, copy = _draw_crop(faces, generator, astray=poor and index % 2 == 0)
        wanted.append(clean)
        shown.append(degrade(copy, generator) if poor else copy)
    return to_tensor(wanted), to_tensor(shown)


def _draw_crop(faces: FaceSet, generator: np.random.Generator, *, astray: bool) -> tuple[np.ndarray, np.ndarray]:
    """Draw a crop, perhaps mirrored, perhaps a blend of two people, and the same crop moved (`astray`) or not."""
    further = draw_jitter(generator, degrees=5, scale=0.06, shift=5) if astray else np.zeros(4)
    people = []
    for _ in range(2 if generator.random() < MIXED_SHARE else 1):
        index = int(generator.integers(len(faces)))
        jitter = draw_jitter(generator, degrees=4, scale=0.05, shift=2.5)
        mirrored = slice(None, None, -1 if generator.random() < 0.5 else 1)
        picture, points = faces.images[index], faces.points[index]
        clean = encoder_crop(picture, points, jitter)[:, mirrored]
        copy = encoder_crop(picture, points, jitter + further)[:, mirrored] if astray else clean
        people.append((clean, copy))
    if len(people) == 1:
        return people[0]
    share = _draw_blend(generator, people[0][0].shape[0])
    one, two = (np.round(share * a + (1 - share) * b).astype(np.uint8) for a, b in zip(*people, strict=True))
    return one, two


def _draw_blend(generator: np.random.Generator, side: int) -> np.ndarray:
    """Draw the share of the first of two faces, (side, side, 1) in [0, 1]: one number, or a soft edge."""
    if generator.random() < 0.5:
        return np.full((side, side, 1), generator.uniform(0.25, 0.75), np.float32)
    angle, offset = generator.uniform(0, 2 * np.pi), generator.uniform(-0.25, 0.25)
    y, x = np.mgrid[:side, :side] / side - 0.5
    distance = x * np.cos(angle) + y * np.sin(angle) - offset
    return (1 / (1 + np.exp(-distance / 0.03)))[..., None].astype(np.float32)


def blockwise_losses(student: MobileFaceNet, teacher: MobileFaceNet, clean: Tensor) -> dict[str, Tensor]:
    """Return the losses of every block by itself, on what the teacher makes of clean crops."""
    image = imagenet_normalise(clean)
    with autocast(clean.device):
        with torch.no_grad():
            maps = teacher.maps(image)
            wanted = teacher.embed(maps[-1]).float()
        answers = [block(before) for block, before in zip(student.blocks(), [image, *maps[:-1]], strict=True)]
        embedding = student.embed(maps[-1]).float()
    hints = [_hint(answer, after, before) for answer, after, before in zip(answers, maps, [image, *maps], strict=False)]
    return {**_embedding_losses(embedding, wanted), "hints": 0.2 * torch.stack(hints).sum()}


def end_to_end_losses(
    student: MobileFaceNet, teacher: MobileFaceNet, clean: Tensor, shown: Tensor
) -> dict[str, Tensor]:
    """Return the losses of the whole: the embedding of what is shown, and the hints where it is the clean crop."""
    same = len(clean) // 2
    with autocast(clean.device):
        with torch.no_grad():
            wanted_maps = teacher.maps(imagenet_normalise(clean))
            wanted = teacher.embed(wanted_maps[-1]).float()
        maps = student.maps(imagenet_normalise(shown))
        embedding = student.embed(maps[-1]).float()
    hints = [_hint(maps[index], wanted_maps[index], rows=same) for index in HINTS]
    return {**_embedding_losses(embedding, wanted), "hints": 0.2 * torch.stack(hints).sum()}


def _embedding_losses(embedding: Tensor, wanted: Tensor) -> dict[str, Tensor]:
    """Return the losses of the embedding's direction and of its length."""
    return {
        "cosine": 4 * (1 - functional.cosine_similarity(embedding, wanted)).mean(),
        "length": 0.5 * functional.mse_loss(embedding, wanted) / wanted.var(),
    }


def _hint(map_: Tensor, wanted: Tensor, before: Tensor | None = None, rows: int | None = None) -> Tensor:
    """Return the squared error of the first `rows` over the variance of what the wanted map adds to `before`."""
    added = wanted.float()
    if before is not None and before.shape == wanted.shape:
        added = added - before.float()
    counts = torch.zeros(len(wanted), 1, 1, 1, device=wanted.device)
    counts[:rows] = len(wanted) / (rows or len(wanted))
    if map_.requires_grad:  # gradients in another memory layout make the normalisations before them five times slower
        map_.register_hook(lambda gradient: gradient.contiguous(memory_format=torch.channels_last))
    return ((map_.float() - wanted.float()).square() * counts).mean() / added.var()


@torch.no_grad()
def measure(student: MobileFaceNet, teacher: MobileFaceNet, faces: FaceSet, folder: Path) -> dict[str, float]:
    """Write measures.csv: the mean cosine to the teacher on people never trained on, clean and for each damage."""
    student.eval()
    device = next(student.parameters()).device
    measures = {}
    for name, change in _damages().items():
        clean, changed = [], []
        for index in range(min(len(faces), 1000)):
            clean.append(encoder_crop(faces.images[index], faces.points[index]))
            changed.append(change(faces, index))
        answers = torch.cat([student(imagenet_normalise(part.to(device))) for part in to_tensor(changed).split(100)])
        wanted = torch.cat([teacher(imagenet_normalise(part.to(device))) for part in to_tensor(clean).split(100)])
        measures[name] = float(functional.cosine_similarity(answers, wanted).mean())
    text = "".join(f"{name},{value:.4f}\n" for name, value in measures.items())
    (folder / "measures.csv").write_text("damage,cosine_to_teacher\n" + text)
    return measures


def _damages() -> dict[str, Callable[[FaceSet, int], np.ndarray]]:
    """Return the pictures' damages by name: (faces, index) -> encoder crop."""

    def crop(faces: FaceSet, index: int, jitter: np.ndarray | None = None) -> np.ndarray:
        return encoder_crop(faces.images[index], faces.points[index], jitter)

    def jpeg(faces: FaceSet, index: int) -> np.ndarray:
        return through_jpeg(crop(faces, index), 30)

    def half_dark(faces: FaceSet, index: int) -> np.ndarray:
        ramp = np.linspace(1, 0.3, 112)[None, :, None]
        return (crop(faces, index) * ramp).astype(np.uint8)

    return {
        "none": crop,
        "blur": lambda faces, index: cv2.GaussianBlur(crop(faces, index), (0, 0), 1.5),
        "jpeg_30": jpeg,
        "half_dark": half_dark,
        "scale_plus_10": lambda faces, index: crop(faces, index, np.array([0, np.log(1.1), 0, 0])),
        "shift_10": lambda faces, index: crop(faces, index, np.array([0, 0, 8.0, 8.0])),
    }


def _start(options: TrainOptions, device: torch.device) -> Averaged[MobileFaceNet]:
    network = MobileFaceNet() if options.init_from is None else read_encoder(options.init_from)
    return begin(network, device, AVERAGE_DECAY)
