"""Distil a generator into MobileFaceSwap: `faceswap distill`.

Read `distill` top to bottom. The teacher swaps each batch, the student learns to do the same with half a million
weights made for each source; what the teacher did badly counts less. Source: MobileFaceSwap (Xu et al., AAAI 2022),
losses and their weights; DistillSettings says where we choose.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from .. import models
from ..engines import read_metadata
from ..engines.torch import load_module
from ..errors import UsageError, WeightsError
from ..networks.discriminator import DiscriminatorConfig, TwoScaleDiscriminator
from ..networks.export import read_state_dict
from ..networks.layers import load_strictly
from ..networks.light import luma
from ..networks.lite import SimSwapLite
from ..networks.mobilefaceswap import REDUCTION, MobileConfig, MobileFaceSwap
from .checkpoint import load, save
from .distill_losses import mask_loss, perceptual, reconstruction, teacher_weight
from .encoders import load_embeddings, load_encoders
from .losses import IdentityJudge, hinge_discriminator, identity_loss, smoothness_loss
from .options import DistillOptions
from .parallel import is_first, join_workers
from .portraits import load_portraits
from .run import (
    Means,
    Run,
    autocast,
    channels_last,
    descend,
    rate_factor,
    seed_step,
    set_rate,
    start_torch,
    update_average,
)
from .settings import DistillSettings, SwapSettings, make_record, read_record
from .swap import BETA2, SMALLEST, WARM_UP, build_generator
from .swap_data import Batch, Known, SwapData, load_swap_faces
from .swap_measure import measure, sees_portrait

STEPS, BATCH, SIZE, LEARNING_RATE = 60_000, 16, 224, 1e-3
SPACE = "mobilefacenet-128"  # of the identities every generator of ours is trained with
NETWORKS = ("student", "average", "discriminator")
OPTIMISERS = ("student_optimiser", "discriminator_optimiser")
LOSSES = (  # every one a step can have: the columns of the log
    "reconstruction", "perceptual", "identity", "mask", "smoothness", "adversarial", "discriminator", "teacher_weight",
)  # fmt: skip


@dataclass(slots=True)
class Players:
    """The networks of a distillation and their optimisers."""

    teacher: nn.Module  # frozen
    student: MobileFaceSwap
    average: MobileFaceSwap  # moving average of the student: what is measured and exported
    discriminator: TwoScaleDiscriminator
    judge: IdentityJudge
    student_optimiser: torch.optim.Optimizer
    discriminator_optimiser: torch.optim.Optimizer


def distill(options: DistillOptions) -> None:
    """Distil until the steps or the minutes are used up, then leave the last checkpoint in the run's folder."""
    settings = read_record(options.config, DistillSettings)
    size = options.size or size_for(build_student(settings))
    teacher = load_teacher(options.teacher, size)
    run = Run(options)
    device = start_torch(options)
    worker = join_workers(device)
    judge = IdentityJudge(load_encoders(options.encoder), size).to(device)
    faces, targets = load_swap_faces(options, size)
    portraits = load_portraits(faces, run.folder / "portraits.npz", options.threads)
    known = Known(load_embeddings(faces, judge, device, run.folder / "embeddings.npz"), portraits)
    data = SwapData(faces, targets, known, size, device)
    players = build_players(settings, teacher, judge, options.init_from, device)
    batch_size, means = options.batch or BATCH, Means(LOSSES)
    step, done = resume(run, players) if options.resume else (0, 0.0)
    run.start(step, batch_size, done)

    while (progress := run.progress(step, STEPS)) < 1 and not run.out_of_time():
        generator = seed_step(options, worker, step)
        rate = rate_factor(step, progress)
        set_rate(players.student_optimiser, (options.learning_rate or LEARNING_RATE) * rate)
        set_rate(players.discriminator_optimiser, settings.discriminator_rate * rate)
        batch = data.draw(batch_size, same=step % settings.same_every == 0, generator=generator)
        losses, fake = student_step(players, batch, settings, step)
        if step >= settings.adversarial_from - WARM_UP:
            losses |= discriminator_step(players, batch, fake)
        means.add(losses)
        step += 1
        if is_first(worker) and step % options.save_every == 0:
            row = measure(players.average, judge, data, run.folder / "samples" / f"{step:07d}.png")
            run.log({"step": step, "images_per_second": run.images_per_second(step), **row, **means.take()})
            checkpoint(run.last, players, settings, step, progress)
    if is_first(worker):
        checkpoint(run.last, players, settings, step, progress)


def size_for(student: MobileFaceSwap) -> int:
    """Return the side of the crops a student learns from: that at which it thinks."""
    return student.config.working if student.config.portrait else SIZE


def load_teacher(path: Path | None, size: int) -> nn.Module:
    """Return a frozen generator of ours, images in [0, 1] both ways, that takes crops of `size`.

    Raises WeightsError for a file that holds none, UsageError for a size that it or the student cannot take.
    """
    path = path or models.locate("lite")
    try:
        teacher = _read_onnx(path) if path.suffix == ".onnx" else _read_checkpoint(path)
    except (RuntimeError, TypeError, ValueError, KeyError) as error:  # weights and a shape that do not belong together
        reason = str(error).splitlines()[0]
        raise WeightsError(f"{path} is not a generator that can be taught from ({reason})") from error
    least = teacher.config.working if isinstance(teacher, SimSwapLite) else SMALLEST
    if size < least or size % REDUCTION:
        raise UsageError(f"size is {size}: give a multiple of {REDUCTION} from {least} on")
    return teacher.requires_grad_(False).eval()


def _read_onnx(path: Path) -> nn.Module:
    if not path.is_file():
        raise WeightsError(f"no teacher at {path}: give a generator's ONNX file or a checkpoint")
    metadata = read_metadata(path)
    space = metadata.get("space")
    if space != SPACE:
        raise WeightsError(f"{path} understands identities of {space!r}: teach from a generator of {SPACE!r}")
    return load_module(path, metadata)


def _read_checkpoint(path: Path) -> nn.Module:
    state = load(path)
    if state.get("kind") != "generator":
        raise WeightsError(f"{path} holds no generator (it holds {state.get('kind', 'something else')})")
    teacher = build_generator(SwapSettings(**state["settings"]))
    teacher.load_state_dict(state["average"])
    return teacher


def build_players(
    settings: DistillSettings, teacher: nn.Module, judge: IdentityJudge, init_from: Path | None, device: torch.device
) -> Players:
    """Return fresh networks, the student from `init_from` where it is given."""
    student, average = build_student(settings), build_student(settings)
    if init_from is not None:
        load_strictly(student, read_student(init_from))
    average.load_state_dict(student.state_dict())
    average.requires_grad_(False).eval()
    discriminator = TwoScaleDiscriminator(DiscriminatorConfig(width=settings.discriminator_width))
    for network in (teacher, student, average, discriminator):
        channels_last(network.to(device))
    return Players(
        teacher,
        student,
        average,
        discriminator,
        judge,
        torch.optim.Adam(student.parameters(), betas=(settings.beta1, BETA2)),
        torch.optim.Adam(discriminator.parameters(), betas=(settings.beta1, BETA2)),
    )


def build_student(settings: DistillSettings) -> MobileFaceSwap:
    """Return the student the settings name, untrained; raise UsageError for a shape it cannot have."""
    config = make_record(MobileConfig, {"portrait": settings.portrait} | settings.shape, "shape")
    if config.injection != "vector":
        raise UsageError(f"injection is {config.injection!r}: a student of ours has no map of an encoder, say 'vector'")
    if config.portrait and (config.working < SMALLEST or config.working % REDUCTION):
        raise UsageError(f"working is {config.working}: give a multiple of {REDUCTION} from {SMALLEST} on")
    return MobileFaceSwap(config)


def read_student(path: Path) -> dict[str, Tensor]:
    """Return a student's parameters from an exported ONNX file or a checkpoint (its moving average)."""
    if path.suffix == ".onnx":
        read_metadata(path)  # a file that is none is refused here, in one line
        return read_state_dict(path)
    state = load(path)
    if state.get("kind") != "mobile":
        raise WeightsError(f"{path} holds no student (it holds {state.get('kind', 'something else')})")
    return state["average"]


def student_step(
    players: Players, batch: Batch, settings: DistillSettings, step: int
) -> tuple[dict[str, Tensor], Tensor]:
    """Teach the student; return its losses, weighted as they were summed, and the swaps it made (detached)."""
    device = batch.target.device
    taught, weight = teach(players, batch, reweighted=settings.reweighted)
    with autocast(device):
        fake, mask = players.student.swap(batch.target, players.student.inject(batch.identity), batch.portrait)
        distance = perceptual(fake.float(), taught, players.judge.encoders[batch.encoder])
        found = players.judge(fake, batch.encoder)
    fake, mask = fake.float(), mask.float()
    losses = {
        "reconstruction": settings.reconstruction * (weight * reconstruction(fake, taught)).mean(),
        "perceptual": settings.perceptual * (weight * distance).mean(),
        "identity": settings.identity * identity_loss(found, batch.wanted),
        "mask": settings.mask * mask_loss(mask, batch.outside),
        "smoothness": settings.smoothness * smoothness_loss(luma(fake - taught), taught),
    }
    if step >= settings.adversarial_from:
        losses["adversarial"] = settings.adversarial * _adversarial_loss(fake, players.discriminator)
    descend(losses, players.student, players.student_optimiser)
    update_average(players.average, players.student, min(settings.average, (step + 1) / (step + 10)))
    return losses | {"teacher_weight": weight.mean()}, fake.detach()


@torch.no_grad()
def teach(players: Players, batch: Batch, *, reweighted: bool) -> tuple[Tensor, Tensor]:
    """Return the teacher's swaps (N, 3, S, S) and how much each of them counts (N,)."""
    with autocast(batch.target.device):
        shown = (batch.portrait,) if sees_portrait(players.teacher) else ()
        taught = players.teacher(batch.target, batch.identity, *shown).float()
        found = players.judge.look(taught, batch.encoder)
    if not reweighted:
        return taught, torch.ones(len(taught), device=taught.device)
    return taught, teacher_weight(taught, batch.target, (found * batch.wanted).sum(dim=1))


def discriminator_step(players: Players, batch: Batch, fake: Tensor) -> dict[str, Tensor]:
    """Teach the discriminator to tell targets from the student's swaps; return its loss."""
    with autocast(fake.device):
        scales = zip(players.discriminator(batch.target), players.discriminator(fake), strict=True)
    hinges = [hinge_discriminator(real[-1].float(), made[-1].float()) for real, made in scales]
    losses = {"discriminator": torch.stack(hinges).mean()}
    descend(losses, players.discriminator, players.discriminator_optimiser)
    return losses


def _adversarial_loss(fake: Tensor, discriminator: nn.Module) -> Tensor:
    discriminator.requires_grad_(False)
    with autocast(fake.device):
        scales = discriminator(fake)
    discriminator.requires_grad_(True)
    return -torch.stack([maps[-1].float().mean() for maps in scales]).mean()


def checkpoint(path: Path, players: Players, settings: DistillSettings, step: int, progress: float) -> None:
    """Write everything the run needs to go on exactly; the teacher stays where it is."""
    state: dict[str, Any] = {"kind": "mobile", "step": step, "progress": progress, "settings": asdict(settings)}
    save(path, state | {name: getattr(players, name).state_dict() for name in (*NETWORKS, *OPTIMISERS)})


def resume(run: Run, players: Players) -> tuple[int, float]:
    """Put a checkpoint back and return its step and which share of its run was done.

    Raises WeightsError for one of another network or shape.
    """
    state = load(run.last)
    if state.get("kind") != "mobile":
        raise WeightsError(f"{run.last} is no distillation's (it holds {state.get('kind', 'something else')})")
    for name in NETWORKS:
        load_strictly(getattr(players, name), state[name])
    for name in OPTIMISERS:
        getattr(players, name).load_state_dict(state[name])
    return state["step"], state.get("progress", 0.0)
