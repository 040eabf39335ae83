"""Distil a generator into MobileFaceSwap: `faceswap distill`.

Read `distill` top to bottom. The teacher swaps each batch, the student learns to do the same with half a million
weights made for each source; what the teacher did badly counts less. A painter's own student learns in painter.py.
Source: MobileFaceSwap (Xu et al., AAAI 2022), losses and their weights; DistillSettings says where we choose.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
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
from ...networks.mobilefaceswap import REDUCTION, MobileConfig, MobileFaceSwap
from ...networks.painter import Painter
from ...store import models
from ..core.checkpoint import LAST, load
from ..core.options import DistillOptions
from ..core.parallel import join_workers
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
from ..data.swap_data import Batch
from ..generator.adversarial import WARM_UP, Journal, RunPlan, TrainState
from ..generator.generators import Teacher, read_generator
from ..generator.losses import hinge_discriminator, hinge_generator, identity_loss
from ..generator.measure import measure
from ..teachers.encoders import load_encoders, names_of
from ..teachers.identity_judge import IdentityJudge
from ..teachers.known_faces import Wanted, open_data
from ..teachers.spaces import MOBILE, OURS, SIMSWAP, Space, space_of
from .losses import mask_loss, perceptual, reconstruction, teacher_weight

STEPS, BATCH, SIZE, LEARNING_RATE = 60_000, 16, 224, 1e-3
SMALLEST = 96  # pixels at which a student thinks
BETA2 = 0.999  # of Adam
LOSSES = (  # every one a step can have: the columns of the log
    "reconstruction", "perceptual", "identity", "mask", "adversarial", "discriminator", "teacher_weight",
)  # fmt: skip


@dataclass(slots=True, kw_only=True)
class StudentState(TrainState):
    """The networks of a distillation and their optimisers."""

    kind = "mobile"
    networks = ("student", "average", "discriminator")
    optimisers = ("student_optimiser", "discriminator_optimiser")

    teacher: Teacher  # frozen
    student: MobileFaceSwap
    student_optimiser: torch.optim.Optimizer


def distill(options: DistillOptions) -> None:
    """Distil until the steps or the minutes are used up, then leave the last checkpoint in the run's folder."""
    if options.landmarks is not None:
        raise UsageError("--landmarks is for a student that learns from triplets: the paper's has no such loss")
    encoders = load_encoders(options.encoder)
    plan = make_plan(options, encoders)
    teacher = load_teacher(options.teacher, plan.size, plan.space)
    settings, run = plan.settings, Run(options)
    device = start_torch(options)
    worker = join_workers(device)
    judge = IdentityJudge(encoders, plan.size).to(device)
    wanted = Wanted(plan.size, settings.balance, portraits=_sees_portrait(teacher))
    data = open_data(options, judge, wanted, device)
    state = build_state(settings, teacher, judge, options.init_from, device)
    journal = Journal(
        run=run,
        worker=worker,
        save_every=options.save_every,
        steps=STEPS,
        means=Means(LOSSES),
        measure=partial(measure, state.average, judge, data),
        checkpoint=partial(state.checkpoint, plan),
    )
    step, done = state.restore(plan.kept) if plan.kept is not None else (0, 0.0)
    batch_size = options.batch or BATCH
    drawn = data.batches(options, worker, step, count=batch_size, same_every=settings.same_every)
    with run.steps_from(step, batch_size, done):
        while (progress := run.progress(step, STEPS)) < 1 and not run.out_of_time():
            seed_step(options, worker, step)
            rate = rate_factor(step, progress)
            set_rate(state.student_optimiser, (options.learning_rate or LEARNING_RATE) * rate)
            set_rate(state.discriminator_optimiser, settings.discriminator_rate * rate)
            batch = data.assemble(next(drawn))
            losses, fake = student_step(state, batch, settings, step)
            if step >= settings.adversarial_from - WARM_UP:
                losses |= discriminator_step(state, batch, fake)
            step += 1
            journal.add(step, progress, losses)
        drawn.close()
        journal.end(step, progress)


def make_plan(options: DistillOptions, encoders: Sequence[nn.Module]) -> RunPlan[DistillSettings]:
    """Settle what a distillation makes, from its settings or from the run it goes on with.

    Raises UsageError for what does not belong together.
    """
    kept = _kept(options) if options.resume else None
    if kept is not None and options.config is None:
        settings = make_record(DistillSettings, kept["settings"], "the checkpoint")
    else:
        settings = read_record(options.config, DistillSettings)
    student, space, names = build_student(settings), space_of(encoders[0]), names_of(encoders)
    if student.config.injection == "map" and space is not MOBILE:
        raise UsageError(f"injection is 'map', but the encoder gives {space.name}: give {MOBILE.encoder} as --encoder")
    if student.config.injection == "vector" and student.config.latent != space.dimension:
        raise UsageError(
            f"latent is {student.config.latent}: identities of {space.name} have {space.dimension} numbers"
        )
    size = options.size or (kept or {}).get("size") or SIZE
    if kept and (kept.get("size", size), kept.get("encoders", names)) != (size, names):
        raise UsageError(f"{options.output} was begun with another --size or --encoder: --resume keeps them")
    return RunPlan(settings, size, space, names, kept)


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
    if size < SMALLEST or size % REDUCTION:
        raise UsageError(f"size is {size}: give a multiple of {REDUCTION} from {SMALLEST} on")
    return teacher.requires_grad_(False).eval()


def build_state(
    settings: DistillSettings, teacher: Teacher, judge: IdentityJudge, init_from: Path | None, device: torch.device
) -> StudentState:
    """Return fresh networks, the student from `init_from` where it is given."""
    student, average = build_student(settings), build_student(settings)
    if init_from is not None:
        load_strictly(student, read_student(init_from))
    average.load_state_dict(student.state_dict())
    average.requires_grad_(False).eval()
    discriminator = TwoScaleDiscriminator(DiscriminatorConfig(width=settings.discriminator_width))
    for network in (teacher, student, average, discriminator):
        channels_last(network.to(device))
    betas = settings.beta1, BETA2
    return StudentState(
        teacher=teacher,
        student=student,
        average=average,
        discriminator=discriminator,
        judge=judge,
        student_optimiser=torch.optim.Adam(student.parameters(), betas=betas),
        discriminator_optimiser=torch.optim.Adam(discriminator.parameters(), betas=betas),
    )


def build_student(settings: DistillSettings) -> MobileFaceSwap:
    """Return the student the settings name, untrained; raise UsageError for a shape it cannot have."""
    return MobileFaceSwap(make_record(MobileConfig, settings.shape, "shape"))


def read_student(path: Path) -> dict[str, Tensor]:
    """Return a student's parameters from an exported or imported ONNX file, by name, or a checkpoint's average."""
    path = models.file_of(path)
    if path.suffix == ".onnx":
        read_metadata(path)  # a file that is none is refused here, in one line
        return read_state_dict(path)
    state = load(path)
    if state.get("kind") != "mobile":
        raise WeightsError(f"{path} holds no student (it holds {state.get('kind', 'something else')})")
    average: dict[str, Tensor] = state["average"]
    return average


def student_step(
    state: StudentState, batch: Batch, settings: DistillSettings, step: int
) -> tuple[dict[str, Tensor], Tensor]:
    """Teach the student; return its losses, weighted as they were summed, and the swaps it made (detached)."""
    device = batch.target.device
    taught, weight = teach(state, batch, reweighted=settings.reweighted)
    with autocast(device):
        fake, mask = state.student.swap(batch.target, state.student.inject(batch.identity))
        distance = perceptual(fake.float(), taught, state.judge.encoders[batch.encoder])
        found = state.judge(fake, batch.encoder)
    fake, mask = fake.float(), mask.float()
    losses = {
        "reconstruction": settings.reconstruction * (weight * reconstruction(fake, taught)).mean(),
        "perceptual": settings.perceptual * (weight * distance).mean(),
        "identity": settings.identity * identity_loss(found, batch.wanted),
        "mask": settings.mask * mask_loss(mask, batch.outside),
    }
    if step >= settings.adversarial_from:
        losses["adversarial"] = settings.adversarial * _adversarial_loss(fake, state.discriminator)
    descend(losses, state.student, state.student_optimiser)
    update_average(state.average, state.student, min(settings.average, (step + 1) / (step + 10)))
    return losses | {"teacher_weight": weight.mean()}, fake.detach()


@torch.no_grad()
def teach(state: StudentState, batch: Batch, *, reweighted: bool) -> tuple[Tensor, Tensor]:
    """Return the teacher's swaps (N, 3, S, S) and how much each of them counts (N,)."""
    with autocast(batch.target.device):
        shown = (batch.portrait,) if _sees_portrait(state.teacher) else ()
        taught = state.teacher(batch.target, _for_teacher(batch.identity, state.judge.space), *shown).float()
        found = state.judge.look(taught, batch.encoder)
    if not reweighted:
        return taught, torch.ones(len(taught), device=taught.device)
    return taught, teacher_weight(taught, batch.target, (found * batch.wanted).sum(dim=1))


def _sees_portrait(teacher: Teacher) -> bool:
    """Tell whether a teacher takes a portrait beside target and identity."""
    return isinstance(teacher, Painter)


def _for_teacher(identity: Tensor, space: Space) -> Tensor:
    """Return the identities (N, D) as the teacher knows them: without the map that a published student sees too."""
    return functional.normalize(identity[:, :EMBEDDING]) if space is MOBILE else identity


def discriminator_step(state: StudentState, batch: Batch, fake: Tensor) -> dict[str, Tensor]:
    """Teach the discriminator to tell targets from the student's swaps; return its loss."""
    with autocast(fake.device):
        scales = zip(state.discriminator(batch.target), state.discriminator(fake), strict=True)
    hinges = [hinge_discriminator(real[-1].float(), made[-1].float()) for real, made in scales]
    losses = {"discriminator": torch.stack(hinges).mean()}
    descend(losses, state.discriminator, state.discriminator_optimiser)
    return losses


def _adversarial_loss(fake: Tensor, discriminator: nn.Module) -> Tensor:
    discriminator.requires_grad_(False)
    with autocast(fake.device):
        scales = discriminator(fake)
    discriminator.requires_grad_(True)
    return torch.stack([hinge_generator(maps[-1].float()) for maps in scales]).mean()
