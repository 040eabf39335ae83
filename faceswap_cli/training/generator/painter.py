"""Train the painter (networks/painter.py) on triplets: `faceswap train --network painter --data TRIPLETS`.

Rows with an answer teach colour, shading, brows, lips and skin pixel by pixel; rows without one (real targets) keep who
the source is, what the target does, and, with all others, what pictures of faces look like.
"""

import time
from collections.abc import Iterator
from dataclasses import asdict, replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...networks.layers import shrunk
from ...networks.light import Light, lit
from ...networks.painter import LIGHT_SIDE, Painting, PortraitPainter, laid_over, painted
from ..core.checkpoint import load
from ..core.options import TrainOptions
from ..core.parallel import average_gradients, is_first
from ..core.run import Run, autocast, seed_step, set_rate, share_done
from ..core.sheets import write_sheet
from ..data.triplet_data import Batch, TripletData
from .losses import CONTRAST_MARGIN, hinge_discriminator, hinge_generator, light_loss
from .measure import to_picture
from .painter_losses import answer_distance, broad_distance, edge_distance, map_distance, mean_over, texture_distance
from .painter_state import PainterSettings, PainterState, begun

STEPS, BATCH, LEARNING_RATE = 20_000, 8, 5e-4
WARM_UP = 0.03  # share of a run in which the discriminator learns before it counts
MEASURED, SHOWN = 48, 8
ALONE = (0.05, 0.3)  # shares of a run between which rows without an answer come to count


def train(options: TrainOptions) -> None:
    """Train until the steps or the minutes are used up, then leave the last checkpoint in the run's folder."""
    run_painter(options, *begun(options))


def run_painter(options: TrainOptions, settings: PainterSettings, state: PainterState, worker: int) -> None:
    """Train a painter on the triplets of `options.data`, a student beside its teacher; the first worker writes."""
    run = Run(options)
    device = next(state.painter.network.parameters()).device
    data = TripletData(options.data, (state.teacher or state.painter.network).working, options.seed)
    if options.resume:
        _resume(run, state, options)
    painter, batch_size = state.painter, options.batch or BATCH
    run.start(painter.step, batch_size, painter.progress)
    began = (time.monotonic(), painter.progress)
    for batch in _on(device, data.batches(batch_size, painter.step, worker)):
        if painter.progress >= 1 or run.out_of_time():
            break
        seed_step(options, worker, painter.step)  # the encoders' jitter: a run goes on exactly
        rate = painter.rate(options, LEARNING_RATE)
        losses = _step(state, learnt_from(state, batch), settings, rate)
        painter.advance(options, STEPS, began)
        if not is_first(worker):
            continue
        run.show(painter.step, painter.progress, losses, STEPS)
        if painter.step % options.save_every == 0:
            _keep(run, state, data, settings, losses)
    if is_first(worker):
        _keep(run, state, data, settings, {})


@torch.no_grad()
def learnt_from(state: PainterState, batch: Batch) -> Batch:
    """Return a batch as it is taught: beside a teacher, what it paints is the answer of rows that have none.

    The teacher sees it at its own size, then all pictures are brought to the student's.
    """
    if state.teacher is None:
        return batch
    answer, side = batch.answer.clone(), state.painter.network.working
    if (rows := (~batch.answered).nonzero()[:, 0]).numel():
        unanswered = Batch(*(getattr(batch, name)[rows] for name in batch.__slots__))
        answer[rows] = paint(state.teacher, unanswered)[0]
    return replace(
        batch,
        target=shrunk(batch.target, side),
        portrait=shrunk(batch.portrait, side),
        answer=shrunk(answer, side),
        mask=shrunk(batch.mask, side),
    )


def _step(state: PainterState, batch: Batch, settings: PainterSettings, rate: float) -> dict[str, Tensor]:
    """Teach painter and discriminator one batch; return the painter's losses."""
    progress = state.painter.progress
    image, painting = paint(state.painter.network, batch)
    losses = painter_losses(state, batch, settings, image, painting.composite)
    if progress >= settings.adversarial_from - WARM_UP:
        losses |= _teach_discriminator(state, batch, image, settings.discriminator_rate * rate / LEARNING_RATE)
    if progress >= settings.adversarial_from:
        state.discriminator.requires_grad_(False)
        with autocast(image.device):
            scales = state.discriminator(image)
        state.discriminator.requires_grad_(True)
        sides = torch.stack([hinge_generator(maps[-1].float()) for maps in scales])
        losses["adversarial"] = settings.adversarial * sides.mean()
    total = torch.stack([loss for name, loss in losses.items() if name != "discriminator"]).sum()
    state.painter.descend(total, rate)
    return losses


def paint(painter: PortraitPainter, batch: Batch) -> tuple[Tensor, Painting]:
    """Return pictures (N, 3, S, S) at the painter's working size, and how they were painted."""
    with torch.no_grad():
        small = functional.interpolate(batch.target, size=(LIGHT_SIDE,) * 2, mode="bilinear", antialias=True)
        seen = functional.interpolate(batch.portrait, size=(LIGHT_SIDE,) * 2, mode="bilinear", antialias=True)
        light: Light = painter.light(small, seen[:, :3], seen[:, 3:])
        composite = laid_over(batch.target, batch.portrait, lit(batch.portrait[:, :3], light))
    with autocast(batch.target.device):
        painting = painter.paint_over(composite, batch.target, batch.identity, batch.portrait)
    painting = painting._replace(composite=composite)
    return painted(painting), painting


def painter_losses(
    state: PainterState, batch: Batch, settings: PainterSettings, image: Tensor, composite: Tensor
) -> dict[str, Tensor]:
    """Return the losses, weighted as they are summed, the adversary's left out.

    Where nobody knows the answer an encoder alone would ask for a caricature: brows drawn black, noses outlined. There
    what is next to what stays as the composite has it, or as a teacher painted it.
    """
    answered, alone = batch.answered.float(), 1 - batch.answered.float()
    shown = answered if state.teacher is None else torch.ones_like(answered)  # rows whose answer is a picture
    ramp = min(1.0, max(0.0, (state.painter.progress - ALONE[0]) / (ALONE[1] - ALONE[0])))
    encoder = state.painter.step % len(state.judge.encoders)
    with autocast(image.device):
        found = state.judge(image, encoder)
        early = map_distance(image, batch.answer, state.judge.encoders[encoder])
        with torch.no_grad():
            wanted, unwanted = (state.judge.embed(faces, encoder) for faces in (batch.wanted, batch.unwanted))
    to_wanted = 1 - (found * torch.where(batch.answered[:, None], unwanted, wanted)).sum(dim=1)
    to_unwanted = functional.relu((found * unwanted).sum(dim=1) - CONTRAST_MARGIN)
    losses = {
        "near": settings.near * mean_over(answer_distance(image, batch.answer, batch.mask), shown),
        "broad": settings.broad * mean_over(broad_distance(image, batch.answer), shown),
        "edges": settings.edges * mean_over(edge_distance(image, batch.answer), shown),
        "texture": settings.texture * mean_over(texture_distance(image, batch.answer, batch.mask), shown),
        "maps": settings.maps * mean_over(early, shown),
        "same_identity": settings.same_identity * mean_over(to_wanted, answered),
        "identity": ramp * settings.identity * mean_over(to_wanted, alone),
        "contrast": ramp * settings.contrast * mean_over(to_unwanted, alone),
        "natural": ramp * settings.natural * mean_over(edge_distance(image, composite), alone),
    }
    share = mean_over(torch.ones_like(alone), alone)  # of what all workers' rows say: this one's, 1 where it is alone
    if (rows := alone.nonzero()[:, 0]).numel():
        losses["light"] = ramp * settings.light * share * light_loss(image[rows], batch.target[rows])
        if state.expression is not None:
            with autocast(image.device):
                distance = state.expression(image[rows], batch.target[rows])
                losses["expression"] = ramp * settings.expression * share * distance
    return losses


def _teach_discriminator(state: PainterState, batch: Batch, image: Tensor, rate: float) -> dict[str, Tensor]:
    """Teach the discriminator to tell real pictures (the answers, and real targets) from painted ones."""
    set_rate(state.discriminator_optimiser, rate)
    with autocast(image.device):
        real, fake = state.discriminator(batch.answer), state.discriminator(image.detach())
    pairs = zip(real, fake, strict=True)
    loss = torch.stack([hinge_discriminator(r[-1].float(), f[-1].float()) for r, f in pairs]).mean()
    state.discriminator_optimiser.zero_grad(set_to_none=True)
    loss.backward()
    average_gradients(state.discriminator)
    nn.utils.clip_grad_norm_(state.discriminator.parameters(), 5.0)
    state.discriminator_optimiser.step()
    return {"discriminator": loss.detach()}


def _on(device: torch.device, batches: Iterator[Batch]) -> Iterator[Batch]:
    for batch in batches:
        yield batch if device.type == "cpu" else Batch(*(getattr(batch, name).to(device) for name in batch.__slots__))


@torch.no_grad()
def _keep(
    run: Run, state: PainterState, data: TripletData, settings: PainterSettings, losses: dict[str, Tensor]
) -> None:
    """Write a checkpoint, and after a step its row of the log and a sheet of people held out."""
    painter = state.painter
    if losses:
        known, images, composites = _painted(state, data.unseen(True, MEASURED))
        near, given = (float(answer_distance(each, known.answer, known.mask).mean()) for each in (images, composites))
        sheet = [known.target, known.portrait[:, :3] * known.portrait[:, 3:], composites, images, known.answer]
        write_sheet(
            run.folder / "samples" / f"{painter.step:07d}.png", [[to_picture(x) for x in e[:SHOWN]] for e in sheet]
        )
        unknown = data.unseen(False, MEASURED)
        taught, images, _ = _painted(state, unknown)
        found = state.judge.look(images, 0)
        people = (each.to(found.device) for each in (unknown.wanted, unknown.unwanted))
        to_source, to_target = ((found * state.judge.embed(each, 0)).sum(1).mean() for each in people)
        row = {"step": painter.step, "progress": painter.progress, "pace": run.images_per_second(painter.step)}
        row |= {"answer": near, "composite": given, "source": float(to_source), "target": float(to_target)}
        if state.teacher is not None:
            row["taught"] = float(answer_distance(images, taught.answer, taught.mask).mean())
        run.log(row | {name: float(losses[name].detach()) if name in losses else float("nan") for name in _NAMES})
    kept = painter.checkpoint(state.kind, asdict(painter.network.config))
    kept |= {"discriminator": state.discriminator.state_dict(), "settings": asdict(settings)}
    run.keep(kept | {"discriminator_optimiser": state.discriminator_optimiser.state_dict()})


_NAMES = (
    *("near", "broad", "edges", "texture", "maps", "same_identity", "identity", "contrast", "natural", "light"),
    *("expression", "discriminator", "adversarial"),
)


def _painted(state: PainterState, rows: Batch) -> tuple[Batch, Tensor, Tensor]:
    """Return rows as they are taught, what the average paints of them and what it paints over, eight at a time."""
    taught, images, composites = [], [], []
    device = next(state.painter.average.parameters()).device
    for start in range(0, len(rows.target), 8):
        part = Batch(*(getattr(rows, name)[start : start + 8].to(device) for name in rows.__slots__))
        taught.append(learnt_from(state, part))
        image, painting = paint(state.painter.average, taught[-1])
        images.append(image)
        composites.append(painting.composite)
    joined = Batch(*(torch.cat([getattr(part, name) for part in taught]) for name in rows.__slots__))
    return joined, torch.cat(images), torch.cat(composites)


def _resume(run: Run, state: PainterState, options: TrainOptions) -> None:
    kept, painter = load(run.last), state.painter
    painter.restore(kept)
    steps = options.steps or STEPS  # which may be more than it began with
    painter.progress = share_done(options, painter.step, steps, 0.0, painter.progress)
    state.discriminator.load_state_dict(kept["discriminator"])
    state.discriminator_optimiser.load_state_dict(kept["discriminator_optimiser"])
