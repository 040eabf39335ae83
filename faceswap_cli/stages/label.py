"""Draw the label that tells people what they see: one patch, the same for every picture of a size.

White letters on a dark, half transparent plate, bottom left, so that they read on light and dark alike.
"""

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ..errors import UsageError
from ..types import Patch

LETTER_SHARE = 0.04  # height of a line of letters, of the picture's shorter side
LEAST_LETTERS = 9  # pixels; smaller ones cannot be read
PLATE = 0.6  # how dark the plate is
LONGEST_LETTERS = "|gj"  # reach as far down as any
NO_LETTER = "\U0010ffff"  # drawn as the sign for a missing letter


def draw_label(text: str, width: int, height: int) -> Patch:
    """Draw `text` for upright pictures of a size.

    Raises UsageError for letters that the font lacks, and for a text that the picture is too small for.
    """
    size = max(LEAST_LETTERS, round(LETTER_SHARE * min(width, height)))
    font = ImageFont.load_default(size)
    _refuse_missing_letters(text, font)
    padding, margin = size // 3, 2 * (size // 3)
    plate_width = -(-round(font.getlength(text)) // 2) * 2 + 2 * padding
    plate_height = round(font.getbbox(LONGEST_LETTERS)[3]) + padding
    if plate_width + 2 * margin > width or plate_height + 2 * margin > height:
        raise UsageError(f"label {text!r} is too long for a picture of {width}x{height} pixels: shorten it")
    plate = Image.new("L", (plate_width, plate_height))
    ImageDraw.Draw(plate).text((padding, padding // 2), text, fill=255, font=font)
    rgb, alpha = _on_plate(np.asarray(plate, np.float32) / 255)
    return Patch(margin, height - margin - plate_height, rgb, alpha)


def _on_plate(letters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lay white letters, (h, w) of 0..1, over the black plate; gives colour and weight of the two together."""
    alpha = 1 - (1 - PLATE) * (1 - letters)
    grey = np.rint(255 * letters / alpha).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2), alpha


def _refuse_missing_letters(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> None:
    missing = bytes(font.getmask(NO_LETTER))
    lacking = [letter for letter in dict.fromkeys(text) if bytes(font.getmask(letter)) == missing]
    if lacking:
        raise UsageError(f"label {text!r} cannot be drawn, the font lacks {' '.join(lacking)}: use ASCII")
