"""Keep what a run needs to go on exactly: networks, optimisers, step and every random state.

A checkpoint is written beside the last one, flushed, then renamed over it: a crash at any moment leaves a whole file.
Loading uses torch's weights-only reader: a checkpoint is data, never code.
"""

import os
import random
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..errors import OutputError, WeightsError

LAST = "last.pt"


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
        raise WeightsError(f"no checkpoint at {path}: start without --resume")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises half a dozen kinds for a damaged or foreign file
        raise WeightsError(
            f"{path} is not a readable checkpoint ({type(error).__name__}): start without --resume"
        ) from error


def random_state(generator: np.random.Generator) -> dict[str, Any]:
    """Collect every random state a step draws from."""
    state: dict[str, Any] = {"torch": torch.get_rng_state(), "numpy": _plain(generator.bit_generator.state)}
    version, internal, gauss = random.getstate()
    state["python"] = [version, list(internal), gauss]
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state_all()
    return state


def restore_random_state(state: dict[str, Any], generator: np.random.Generator) -> None:
    """Put back what `random_state` collected."""
    torch.set_rng_state(state["torch"])
    generator.bit_generator.state = _unplain(state["numpy"])
    version, internal, gauss = state["python"]
    random.setstate((version, tuple(internal), gauss))
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(state["cuda"])


def _plain(value: Any) -> Any:
    """Turn 128-bit integers into text: the weights-only reader takes no others."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return f"int:{value}" if isinstance(value, int) else value


def _unplain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _unplain(item) for key, item in value.items()}
    return int(value[4:]) if isinstance(value, str) and value.startswith("int:") else value
