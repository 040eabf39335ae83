"""Contact sheets: small pictures side by side in one file."""

from pathlib import Path

import numpy as np
from PIL import Image

from ..errors import OutputError


def save_sheet(tiles: list[np.ndarray], columns: int, path: Path) -> None:
    """Write tiles (H, W, 3) of one size as a picture of so many columns."""
    missing = -len(tiles) % min(columns, len(tiles))
    tiles = tiles + [np.zeros_like(tiles[0])] * missing
    width = min(columns, len(tiles))
    rows = [np.hstack(tiles[start : start + width]) for start in range(0, len(tiles), width)]
    try:
        Image.fromarray(np.vstack(rows)).save(path)
    except (OSError, ValueError) as error:
        raise OutputError(f"{path} cannot be written: {error}") from error
