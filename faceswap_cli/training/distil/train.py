"""Distil a generator into MobileFaceSwap: `faceswap distill`.

Read `distill` top to bottom. The teacher swaps each batch, the student learns to do the same with half a million
weights made for each source; what the teacher did badly counts less. Source: MobileFaceSwap (Xu et al., AAAI 2022),
losses and their weights; DistillSettings says where we choose.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...engines.metadata import read_metadata
from ...errors import UsageError, WeightsError
from ...networks.discriminator import DiscriminatorConfig, TwoScaleDiscriminator
from ...networks.export import read_state_dict
from ...networks.injection import EMBEDDING
from ...networks.layers import load_strictly
from ...networks.light import luma
from ...networks.lite import SimSwapLite
from ...networks.mobilefaceswap import REDUCTION, MobileConfig, MobileFaceSwap
from ...store import models
from ..core.checkpoint import LAST, load, save
from ..core.options import DistillOptions
from ..core.parallel import is_first, join_workers
from ..core.run import (
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
from ..core.settings import DistillSettings, make_record, read_record
from ..data.portraits import load_portraits
from ..data.swap_data import Batch, Known, SwapData, load_swap_faces
from ..generator.generators import Teacher, read_generator
from ..generator.losses import hinge_discriminator, hinge_generator, identity_loss, smoothness_loss
from ..generator.measure import measure, sees_portrait
from ..generator.train import WARM_UP
from ..teachers.encoders import load_embeddings, load_encoders, names_of
from ..teachers.identity_judge import IdentityJudge
from ..teachers.spaces import MOBILE, OURS, SIMSWAP, Space, space_of
from .losses import mask_loss, perceptual, reconstruction, teacher_weight

STEPS, BATCH, SIZE, LEARNING_RATE = 60_000, 16, 224, 1e-3
SMALLEST = 96  # pixels at which a student thinks
BETA2 = 0.999  # of Adam
NETWORKS = ("student", "average", "discriminator")
OPTIMISERS = ("student_optimiser", "discriminator_optimiser")
LOSSES = (  # every one a step can have: the columns of the log
    "reconstruction", "perceptual", "identity", "mask", "smoothness", "adversarial", "discriminator", "teacher_weight",
)  # fmt: skip


@dataclass(slots=True)
class Players:
    """The networks of a distillation and their optimisers."""

    teacher: Teacher  # frozen
    student: MobileFaceSwap
    average: MobileFaceSwap  # moving average of the student: what is measured and exported
    discriminator: TwoScaleDiscriminator
    judge: IdentityJudge
    student_optimiser: torch.optim.Optimizer
    discriminator_optimiser: torch.optim.Optimizer


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What a distillation makes: settled before its data are loaded."""

    settings: DistillSettings
    size: int  # side of the training crops
    space: Space  # of the student's identities
    encoders: list[str]  # that judge, see `encoders.names_of`
    kept: dict[str, Any] | None = None  # the checkpoint it goes on from


def distill(options: DistillOptions) -> None:
    """Distil until the steps or the minutes are used up, then leave the last checkpoint in the run's folder."""
    encoders = load_encoders(options.encoder)
    plan = make_plan(options, encoders)
    teacher = load_teacher(options.teacher, plan.size, plan.space)
    settings, run = plan.settings, Run(options)
    device = start_torch(options)
    worker = join_workers(device)
    judge = IdentityJudge(encoders, plan.size).to(device)
    faces, targets = load_swap_faces(options, plan.size)
    portraits = load_portraits(faces, run.folder / "portraits.npz", options.threads)
    known = Known(load_embeddings(faces, judge, device, run.folder / "embeddings.npz"), portraits)
    data = SwapData(faces, targets, known, plan.size, device)
    players = build_players(settings, teacher, judge, options.init_from, device)
    batch_size, means = options.batch or BATCH, Means(LOSSES)
    step, done = resume(plan.kept, players) if plan.kept is not None else (0, 0.0)
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
            checkpoint(run.last, players, plan, step, progress)
    if is_first(worker):
        checkpoint(run.last, players, plan, step, progress)


def size_for(student: MobileFaceSwap) -> int:
    """Return the side of the crops a student learns from: that at which it thinks."""
    return student.config.working if student.config.portrait else SIZE


def make_plan(options: DistillOptions, encoders: Sequence[nn.Module]) -> Plan:
    """Settle what a distillation makes, from its settings or from the run it goes on with.

    Raises UsageError for what does not belong together.
    """
    kept = _kept(options) if options.resume else None
    if kept is not None and options.config is None:
        settings = DistillSettings(**kept["settings"])
    else:
        settings = read_record(options.config, DistillSettings)
    student, space, names = build_student(settings), space_of(encoders[0]), names_of(encoders)
    if student.config.injection == "map" and space is not MOBILE:
        raise UsageError(f"injection is 'map', but the encoder gives {space.name}: give {MOBILE.encoder} as --encoder")
    if student.config.injection == "vector" and student.config.latent != space.dimension:
        raise UsageError(
            f"latent is {student.config.latent}: identities of {space.name} have {space.dimension} numbers"
        )
    size = options.size or (kept or {}).get("size") or size_for(student)
    if kept and (kept.get("size", size), kept.get("encoders", names)) != (size, names):
        raise UsageError(f"{options.output} was begun with another --size or --encoder: --resume keeps them")
    return Plan(settings, size, space, names, kept)


def _kept(options: DistillOptions) -> dict[str, Any]:
    """Return the checkpoint to go on from; raise WeightsError where it is none of a distillation."""
    state = load(options.output / LAST)
    if state.get("kind") != "mobile":
        raise WeightsError(f"{options.output} is no distillation's (it holds {state.get('kind', 'something else')})")
    return state


def load_teacher(path: Path | None, size: int, space: Space = OURS) -> Teacher:
    """Return a frozen generator, images in [0, 1] both ways, that takes crops of `size` and a student's identities.

    It is the embedded one, one of a file or an installed one. Raises WeightsError for a file that holds none and for
    one of another space, UsageError for a size that it or the student cannot take.
    """
    origin = read_generator(path or models.locate("lite"))
    wanted = SIMSWAP if space is MOBILE else space
    if origin.space != wanted.name:
        raise WeightsError(
            f"{origin.path} understands identities of {origin.space!r}, the student those of {wanted.name!r}: "
            f"give the teacher's own encoder as --encoder"
        )
    teacher = origin.generator
    least = teacher.config.working if isinstance(teacher, SimSwapLite) else SMALLEST
    if size < least or size % REDUCTION:
        raise UsageError(f"size is {size}: give a multiple of {REDUCTION} from {least} on")
    return teacher.requires_grad_(False).eval()


def build_players(
    settings: DistillSettings, teacher: Teacher, judge: IdentityJudge, init_from: Path | None, device: torch.device
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
    if config.injection == "map" and config.portrait:
        raise UsageError(
            "injection is 'map', which is the paper's student: it is shown no portrait, say portrait = false"
        )
    if config.portrait and (config.working < SMALLEST or config.working % REDUCTION):
        raise UsageError(f"working is {config.working}: give a multiple of {REDUCTION} from {SMALLEST} on")
    return MobileFaceSwap(config)


def read_student(path: Path) -> dict[str, Tensor]:
    """Return a student's parameters from an exported or imported ONNX file, by name, or a checkpoint's average."""
    path = models.file_of(path)
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
        taught = players.teacher(batch.target, _for_teacher(batch.identity, players.judge.space), *shown).float()
        found = players.judge.look(taught, batch.encoder)
    if not reweighted:
        return taught, torch.ones(len(taught), device=taught.device)
    return taught, teacher_weight(taught, batch.target, (found * batch.wanted).sum(dim=1))


def _for_teacher(identity: Tensor, space: Space) -> Tensor:
    """Return the identities (N, D) as the teacher knows them: without the map that a published student sees too."""
    return functional.normalize(identity[:, :EMBEDDING]) if space is MOBILE else identity


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
    return torch.stack([hinge_generator(maps[-1].float()) for maps in scales]).mean()


def checkpoint(path: Path, players: Players, plan: Plan, step: int, progress: float) -> None:
    """Write everything the run needs to go on exactly; the teacher stays where it is."""
    state: dict[str, Any] = {"kind": "mobile", "step": step, "progress": progress}
    state |= {"settings": asdict(plan.settings), "size": plan.size, "space": plan.space.name, "encoders": plan.encoders}
    save(path, state | {name: getattr(players, name).state_dict() for name in (*NETWORKS, *OPTIMISERS)})


def resume(kept: dict[str, Any], players: Players) -> tuple[int, float]:
    """Put a checkpoint back and return its step and which share of its run was done.

    Raises WeightsError for one of another shape.
    """
    for name in NETWORKS:
        load_strictly(getattr(players, name), kept[name])
    for name in OPTIMISERS:
        getattr(players, name).load_state_dict(kept[name])
    return kept["step"], kept.get("progress", 0.0)
