"""Open the faces of a run with all that is found out about them beforehand: portraits and identities."""

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


def open_data(options: TrainOptions, judge: IdentityJudge, size: int, device: torch.device, balance: float) -> SwapData:
    """Return the data of a run with crops of `size`, people drawn with a balance in [0, 1]: see `sampler`."""
    readers = usual_readers(device) if options.readers is None else options.readers
    held_bytes = HELD_BYTES // (2 * max(1, readers))  # each of them holds as much
    packs, faces, targets = load_swap_faces(options, size, held_bytes)
    looking, recognising = (
        Filling(options.output, options.threads, counted(options.watch, f"faces {done}"))
        for done in ("looked at", "recognised")
    )
    portraits = load_portraits(packs, faces.size, looking, held_bytes)
    embeddings = load_embeddings(packs, faces.size, judge, device, recognising)
    return SwapData(faces, Known(targets, embeddings, portraits), size, device, balance)
