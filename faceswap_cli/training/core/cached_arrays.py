"""What a run finds out about its faces before its first step, kept beside it: the next start need not look again."""

import hashlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

Arrays = dict[str, np.ndarray]


def remembered(cache: Path, made_of: str, make: Callable[[], Arrays]) -> Arrays:
    """Return the arrays in `cache` (.npz) if they were made of just this, else make them and keep them there."""
    if cache.is_file():
        with np.load(cache, allow_pickle=False) as kept:
            if str(kept["made_of"]) == made_of:
                return {name: kept[name] for name in kept.files if name != "made_of"}
    made = make()
    partial = cache.with_name(f"{cache.stem}.{os.getpid()}.npz")  # several workers may make it at once
    named: dict[str, Any] = {"made_of": np.array(made_of), **made}
    np.savez_compressed(partial, **named)
    partial.replace(cache)
    return made


def digest(about: object, arrays: Iterable[np.ndarray]) -> str:
    """Return what tells arrays, and what else their use hangs on, from any others (SHA-256)."""
    found = hashlib.sha256(repr(about).encode())
    for array in arrays:
        found.update(repr((array.shape, array.dtype.str)).encode())
        found.update(np.ascontiguousarray(array).data)
    return found.hexdigest()
