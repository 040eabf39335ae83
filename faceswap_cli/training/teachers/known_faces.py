"""Open the faces of a run with all that is found out about them beforehand: portraits and identities."""

from dataclasses import dataclass

import torch

from ..core.loader import usual_readers
from ..core.options import TrainOptions
from ..core.watch import counted
from ..data.columns import Filling
from ..data.face_set import HELD_BYTES
from ..data.portraits import load_portraits
from ..data.swap_data import Known, SwapData, load_swap_faces
from .encoders import load_embeddings
from .identity_judge import IdentityJudge


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a run wants of its data."""

    size: int  # side of its crops
    balance: float  # 0..1, with which people are drawn: see `sampler`
    portraits: bool = False  # what a painter that teaches is shown; a SimSwap sees none, and takes 30 ms a face less


def open_data(options: TrainOptions, judge: IdentityJudge, wanted: Wanted, device: torch.device) -> SwapData:
    """Return the data of a run, with what is found out about each face once and for all."""
    readers = usual_readers(device) if options.readers is None else options.readers
    held_bytes = HELD_BYTES // (2 * max(1, readers))  # each of them holds as much
    packs, faces, targets = load_swap_faces(options, wanted.size, held_bytes)
    looking, recognising = (
        Filling(options.output, options.threads, counted(options.watch, f"faces {done}"))
        for done in ("looked at", "recognised")
    )
    portraits = load_portraits(packs, faces.size, looking, held_bytes) if wanted.portraits else None
    embeddings = load_embeddings(packs, faces.size, judge, device, recognising)
    return SwapData(faces, Known(targets, embeddings, portraits), wanted.size, device, wanted.balance)
