"""Write sheets of pictures: what a run shows beside its checkpoints."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np


def write_sheet(path: Path, rows: Sequence[Sequence[np.ndarray]]) -> None:
    """Write pictures of one size, uint8 RGB, as a PNG grid; without any, write nothing."""
    if not rows:
        return
    sheet = np.concatenate([np.concatenate(row, axis=1) for row in rows], axis=0)
    cv2.imwrite(str(path), sheet[..., ::-1])


def in_rows(pictures: Sequence[np.ndarray], columns: int) -> list[Sequence[np.ndarray]]:
    """Return pictures as the rows of a grid, those left out that fill none; fewer than one row make a shorter one."""
    columns = max(1, min(columns, len(pictures)))
    return [pictures[at : at + columns] for at in range(0, len(pictures) // columns * columns, columns)]
