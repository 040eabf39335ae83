"""How a painter does on people it never saw: a row for the log, a score, and a sheet to look at.

Rows without an answer tell whom a swap looks like and whether the head stays as it is, rows with one how near to it a
swap comes. Who is seen is said by the training's own encoders: curves to watch, and a score by which a checkpoint is
chosen, as a SimSwap's (measure.py).
"""

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ...evaluation.measures import psnr, squared_error
from ..core.sheets import write_sheet
from ..data.triplet_data import Batch, TripletData
from .measure import nearest, score_of, shape_changes, to_picture
from .painter_losses import answer_distance
from .painter_state import PainterState
from .painting import learnt_from, paint

MEASURED, SHOWN, AT_ONCE = 48, 8, 8
KNOWN = ("answer", "composite", "answer_psnr")  # measures of rows with an answer
UNKNOWN = ("source", "target", "retrieval", "still_target", "pose_degrees", "apertures")  # of rows without one


def unmeasured(state: PainterState) -> Mapping[str, float]:
    """Return the measures of a run's log where a row has none."""
    taught = () if state.teacher is None else ("taught",)
    return dict.fromkeys((*KNOWN, *UNKNOWN, *taught, "score"), math.nan)


@torch.no_grad()
def measure_painter(state: PainterState, data: TripletData, sheet: Path) -> dict[str, float]:
    """Paint fixed rows of people held out and return their measures; the sheet shows those with an answer.

    `answer` and `composite` are the distances of what is painted, and of what is painted over, to the answer, `taught`
    that to what a teacher painted; the others are what `evaluate` calls so. What there are no rows for is not a number,
    and the score is where it needs that.
    """
    measures = dict(unmeasured(state))
    known, unknown = data.unseen(True, MEASURED), data.unseen(False, MEASURED)
    if known is not None:
        measures |= _of_known(*_painted(state, known), sheet)
    if unknown is not None:
        taught, images, _ = _painted(state, unknown)
        measures |= _of_unknown(state, unknown, images)
        if state.teacher is not None:
            measures["taught"] = float(answer_distance(images, taught.answer, taught.mask).mean())
    alike = {"cosine_source": measures["source"], "self_psnr": measures["answer_psnr"]}
    return measures | {"score": score_of(alike | {"pose_degrees": measures["pose_degrees"]})}


def _of_known(known: Batch, images: Tensor, composites: Tensor, sheet: Path) -> dict[str, float]:
    """Return the measures of rows with an answer, and draw them: target, portrait, composite, painted, answer."""
    rows = [known.target, known.portrait[:, :3] * known.portrait[:, 3:], composites, images, known.answer]
    write_sheet(sheet, [[to_picture(each.cpu()) for each in row[:SHOWN]] for row in rows])
    near, given = (float(answer_distance(each, known.answer, known.mask).mean()) for each in (images, composites))
    pairs = zip(images.cpu(), known.answer.cpu(), strict=True)
    errors = [squared_error(to_picture(image), to_picture(answer)) for image, answer in pairs]
    return {"answer": near, "composite": given, "answer_psnr": psnr(np.array(errors))}


def _of_unknown(state: PainterState, rows: Batch, images: Tensor) -> dict[str, float]:
    """Return whom swaps of rows without an answer look like, and by how much heads, eyes and mouths moved."""
    found = state.judge.look(images, 0)
    wanted, unwanted = (state.judge.embed(faces.to(found.device), 0) for faces in (rows.wanted, rows.unwanted))
    source, target = (float((found * whom).sum(dim=1).mean()) for whom in (wanted, unwanted))
    people = (each.cpu().numpy() for each in (found, wanted, unwanted))
    return {"source": source, "target": target} | nearest(*people) | shape_changes(rows.target, images.cpu())


def _painted(state: PainterState, rows: Batch) -> tuple[Batch, Tensor, Tensor]:
    """Return rows as they are taught, what the average paints of them and what it paints over, a few at a time."""
    taught, images, composites = [], [], []
    device = next(state.painter.average.parameters()).device
    for start in range(0, len(rows.target), AT_ONCE):
        part = Batch(*(getattr(rows, name)[start : start + AT_ONCE].to(device) for name in rows.__slots__))
        taught.append(learnt_from(state, part))
        image, painting = paint(state.painter.average, taught[-1])
        images.append(image)
        composites.append(painting.composite)
    joined = Batch(*(torch.cat([getattr(part, name) for part in taught]) for name in rows.__slots__))
    return joined, torch.cat(images), torch.cat(composites)
