"""Digest arrays, and whatever else the use of a cache depends on."""

import hashlib
from collections.abc import Iterable

import numpy as np


def digest(about: object, arrays: Iterable[np.ndarray]) -> str:
    """Return what tells arrays, and what else their use hangs on, from any others (SHA-256)."""
    found = hashlib.sha256(repr(about).encode())
    for array in arrays:
        found.update(repr((array.shape, array.dtype.str)).encode())
        found.update(np.ascontiguousarray(array).data)
    return found.hexdigest()
