"""What a painter paints of a batch of triplets, and what the batch teaches it."""

from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional

from ...networks.layers import shrunk
from ...networks.light import Light, lit
from ...networks.painter import LIGHT_SIDE, Painting, PortraitPainter, laid_over, painted
from ..core.run import autocast
from ..data.triplet_data import Batch
from .painter_state import PainterState


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
