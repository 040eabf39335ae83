"""Keep what a run needs to go on exactly: networks, optimisers and step; random numbers are seeded anew at each step.

A checkpoint is written beside the last one, flushed, then renamed over it: a crash at any moment leaves a whole file.
Loading uses torch's weights-only reader: a checkpoint is data, never code.
"""

import os
from pathlib import Path
from typing import Any

import torch

from ...errors import OutputError, WeightsError

LAST, BEST = "last.pt", "best.pt"


def save(path: Path, state: dict[str, Any]) -> None:
    """Write `state` (tensors, numbers, strings, lists and dicts) atomically; raise OutputError when it cannot."""
    partial = path.with_name(path.name + ".part")
    try:
        with partial.open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except (OSError, RuntimeError) as error:  # torch reports a full disk as RuntimeError
        partial.unlink(missing_ok=True)
        raise OutputError(f"checkpoint {path} could not be written ({error}): the previous one is kept") from error


def load(path: Path) -> dict[str, Any]:
    """Read a checkpoint; raise WeightsError when it is missing or not one of ours."""
    if not path.is_file():
        raise WeightsError(f"no checkpoint at {path}: give the folder of a run, or start without --resume")
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        return state
    except Exception as error:  # torch raises half a dozen kinds for a damaged or foreign file
        raise WeightsError(
            f"{path} is not a readable checkpoint ({type(error).__name__}): start without --resume"
        ) from error
