"""Distil the identity encoder: our MobileFaceNet learns to answer as its teacher does.

Teacher and student see the same moved, mixed crop; half of the student's copies are damaged on top (blur, compression,
darkness), so that it answers for a poor picture what the teacher answers for a good one. Mixing two faces (mixup) makes
new points for the teacher to label: ten thousand pictures alone are few. Hints on five inner maps speed it up
(Romero et al. 2015); the embedding's cosine is what counts.
"""

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ..errors import UsageError
from ..networks.mobilefacenet import MobileFaceNet, imagenet_normalise
from .checkpoint import load, random_state, restore_random_state, save
from .data import FaceSet, draw_jitter, encoder_crop, load_packs, to_tensor
from .degrade import degrade
from .encoders import load_encoder
from .options import TrainOptions
from .prepare import packed
from .run import Run, autocast, cosine_rate, set_rate, start_torch

STEPS, BATCH, LEARNING_RATE = 1600, 64, 3e-3
PICTURE_SIZE = 192  # side of the crops held in memory
HINTS = (5, 6, 12, 15, 16)  # maps of MobileFaceNet.maps: the last of each resolution and width
BLOCKWISE_SHARE = 0.5  # of the steps in which the blocks learn one by one
MIXED_SHARE = 0.3  # of the crops that are blends of two people


def train(options: TrainOptions) -> None:
    """Train until the steps or the minutes are used up; `options.teacher` is a MobileFaceNet state dict."""
    if options.teacher is None:
        raise UsageError("the encoder needs --teacher FILE: the state dict of a MobileFaceNet to imitate")
    run = Run(options)
    device = start_torch(options)
    generator = np.random.default_rng(options.seed)
    faces = load_packs(tuple(packed(folder, options) for folder in options.data), PICTURE_SIZE)
    training, held_out = faces.chosen(~faces.held_out), faces.chosen(faces.held_out)

    teacher = load_encoder(options.teacher).to(device)
    student = MobileFaceNet().to(device, memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(student.parameters(), weight_decay=1e-4)
    steps, batch = options.steps or STEPS, options.batch or BATCH
    step = 0
    if options.resume:
        state = load(run.last)
        student.load_state_dict(state["network"])
        optimiser.load_state_dict(state["optimiser"])
        restore_random_state(state["random"], generator)
        step = state["step"]

    while step < steps and not run.out_of_time():
        set_rate(optimiser, (options.learning_rate or LEARNING_RATE) * cosine_rate(step, steps))
        clean, damaged = draw_batch(training, batch, generator)
        blockwise = step < BLOCKWISE_SHARE * steps
        losses = (blockwise_losses if blockwise else end_to_end_losses)(
            student, teacher, clean.to(device), damaged.to(device)
        )
        optimiser.zero_grad(set_to_none=True)
        sum(losses.values()).backward()
        nn.utils.clip_grad_norm_(student.parameters(), 5.0)
        optimiser.step()
        step += 1
        if step % 50 == 0:
            pace = run.images_per_second(step * batch)
            run.log({"step": step, **{name: float(loss) for name, loss in losses.items()}, "images_per_second": pace})
        if step % options.save_every == 0 or step == steps or run.out_of_time():
            state = {"network": student.state_dict(), "optimiser": optimiser.state_dict(), "step": step}
            save(run.last, {**state, "random": random_state(generator), "kind": "encoder"})
    measure(student, teacher, held_out if len(held_out) else training, run)


def draw_batch(faces: FaceSet, batch: int, generator: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Draw crops (B, 3, 112, 112) in [0, 1], clean and with every second one damaged."""
    clean = [_draw_crop(faces, generator) for _ in range(batch)]
    damaged = [degrade(crop, generator) if index % 2 else crop for index, crop in enumerate(clean)]
    return to_tensor(clean), to_tensor(damaged)


def _draw_crop(faces: FaceSet, generator: np.random.Generator) -> np.ndarray:
    """Draw one moved, perhaps mirrored crop, some of them blends of two people."""
    crops = []
    for _ in range(2 if generator.random() < MIXED_SHARE else 1):
        index = int(generator.integers(len(faces)))
        jitter = draw_jitter(generator, degrees=4, scale=0.05, shift=2.5)
        crop = encoder_crop(faces.images[index], faces.points[index], jitter)
        crops.append(crop[:, ::-1] if generator.random() < 0.5 else crop)
    if len(crops) == 1:
        return np.ascontiguousarray(crops[0])
    share = generator.uniform(0.25, 0.75)
    return np.round(share * crops[0] + (1 - share) * crops[1]).astype(np.uint8)


def blockwise_losses(
    student: MobileFaceNet, teacher: MobileFaceNet, clean: Tensor, damaged: Tensor
) -> dict[str, Tensor]:
    """Return the losses of every block by itself, on what the teacher makes of clean crops."""
    del damaged  # a block alone cannot undo damage
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
    student: MobileFaceNet, teacher: MobileFaceNet, clean: Tensor, damaged: Tensor
) -> dict[str, Tensor]:
    """Return the losses of the whole: the embedding of damaged crops, and the hints."""
    with autocast(clean.device):
        with torch.no_grad():
            wanted_maps = teacher.maps(imagenet_normalise(clean))
            wanted = teacher.embed(wanted_maps[-1]).float()
        maps = student.maps(imagenet_normalise(damaged))
        embedding = student.embed(maps[-1]).float()
    hints = [_hint(maps[index], wanted_maps[index]) for index in HINTS]
    return {**_embedding_losses(embedding, wanted), "hints": 0.2 * torch.stack(hints).sum()}


def _embedding_losses(embedding: Tensor, wanted: Tensor) -> dict[str, Tensor]:
    """Return the losses of the embedding's direction and of its length."""
    return {
        "cosine": 4 * (1 - functional.cosine_similarity(embedding, wanted)).mean(),
        "length": 0.5 * functional.mse_loss(embedding, wanted) / wanted.var(),
    }


def _hint(map_: Tensor, wanted: Tensor, before: Tensor | None = None) -> Tensor:
    """Return the squared error relative to the variance of the wanted map, of what it adds where `before` is given."""
    added = wanted.float()
    if before is not None and before.shape == wanted.shape:
        added = added - before.float()
    return functional.mse_loss(map_.float(), wanted.float()) / added.var()


@torch.no_grad()
def measure(student: MobileFaceNet, teacher: MobileFaceNet, faces: FaceSet, run: Run) -> dict[str, float]:
    """Write measures.csv: the mean cosine to the teacher on people never trained on, clean and for each damage."""
    student.eval()
    measures = {}
    for name, change in _damages().items():
        clean, changed = [], []
        for index in range(min(len(faces), 1000)):
            clean.append(encoder_crop(faces.images[index], faces.points[index]))
            changed.append(change(faces, index))
        answers = torch.cat([student(imagenet_normalise(part)) for part in to_tensor(changed).split(100)])
        wanted = torch.cat([teacher(imagenet_normalise(part)) for part in to_tensor(clean).split(100)])
        measures[name] = float(functional.cosine_similarity(answers, wanted).mean())
    text = "".join(f"{name},{value:.4f}\n" for name, value in measures.items())
    (run.folder / "measures.csv").write_text("damage,cosine_to_teacher\n" + text)
    return measures


def _damages() -> dict:
    """Return the pictures' damages by name: (faces, index) -> encoder crop."""

    def crop(faces: FaceSet, index: int, jitter: np.ndarray | None = None) -> np.ndarray:
        return encoder_crop(faces.images[index], faces.points[index], jitter)

    def jpeg(faces: FaceSet, index: int) -> np.ndarray:
        coded = cv2.imencode(".jpg", crop(faces, index), [cv2.IMWRITE_JPEG_QUALITY, 30])[1]
        return cv2.imdecode(coded, cv2.IMREAD_COLOR)

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
