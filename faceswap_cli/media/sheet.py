"""Contact sheets: small pictures side by side in one file."""

from pathlib import Path

import numpy as np
from PIL import Image, PngImagePlugin

from .._version import __version__
from ..errors import OutputError

MARK = "Contact sheet by faceswap"  # by which a sheet of ours is known


def save_sheet(tiles: list[np.ndarray], columns: int, path: Path, xmp: bytes = b"") -> None:
    """Write tiles (H, W, 3) of one size as a picture of so many columns; `xmp` goes into a PNG's metadata."""
    missing = -len(tiles) % min(columns, len(tiles))
    tiles = tiles + [np.zeros_like(tiles[0])] * missing
    width = min(columns, len(tiles))
    rows = [np.hstack(tiles[start : start + width]) for start in range(0, len(tiles), width)]
    try:
        Image.fromarray(np.vstack(rows)).save(path, pnginfo=_metadata(xmp))
    except (OSError, ValueError) as error:
        raise OutputError(f"{path} cannot be written: {error}") from error


def is_ours(path: Path) -> bool:
    """Tell whether a file is a contact sheet that was written here."""
    try:
        with Image.open(path) as sheet:
            return str(sheet.info.get("Software", "")).startswith(MARK)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):  # not there, or not a picture
        return False


def _metadata(xmp: bytes) -> PngImagePlugin.PngInfo:
    text = PngImagePlugin.PngInfo()
    text.add_text("Software", f"{MARK} {__version__}")
    if xmp:
        text.add_itxt("XML:com.adobe.xmp", xmp.decode())
    return text
