"""Draw the label that tells people what they see: one patch, the same for every picture of a size.

White letters on a dark, half transparent plate, bottom left, so that they read on light and dark alike. A text is drawn
with Pillow's own font, ASCII and a little more, or else with the one OpenCV brings since its version 5 (Latin, Greek,
Cyrillic, Chinese, Japanese), left to right, one letter after the other.
"""

import unicodedata

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ..errors import UsageError
from ..types import Patch

LETTER_SHARE = 0.04  # height of a line of letters, of the picture's shorter side
LEAST_LETTERS = 9  # pixels; smaller ones cannot be read
PLATE = 0.6  # how dark the plate is
LONGEST_LETTERS = "|gj"  # reach as far down as any
NO_LETTER = "\U0010ffff"  # drawn as the sign for a missing letter
RIGHT_TO_LEFT = frozenset({"R", "AL", "AN"})  # Unicode's bidirectional classes
WEIGHT = 500  # of OpenCV's font: 400 is regular, 800 bold
WIDE_LINE, WIDE_BASELINE = 1.35, 1.1  # height of OpenCV's line and where its letters stand, by their size

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def draw_label(text: str, width: int, height: int) -> Patch:
    """Draw `text` for upright pictures of a size.

    Raises UsageError for letters that cannot be drawn, and for a text that the picture is too small for.
    """
    text = unicodedata.normalize("NFC", text)
    size = max(LEAST_LETTERS, round(LETTER_SHARE * min(width, height)))
    padding, margin = size // 3, 2 * (size // 3)
    font = ImageFont.load_default(size)
    lacking = _lacking(text, font)
    plate = _wide_plate(text, size, padding, lacking) if lacking else _plate(text, font, padding)
    plate_height, plate_width = plate.shape
    if plate_width + 2 * margin > width or plate_height + 2 * margin > height:
        raise UsageError(f"label {text!r} is too long for a picture of {width}x{height} pixels: shorten it")
    rgb, alpha = _on_plate(plate)
    return Patch(margin, height - margin - plate_height, rgb, alpha)


def _lacking(text: str, font: Font) -> list[str]:
    """Name the letters that Pillow's font draws as it draws any that it lacks."""
    missing = bytes(font.getmask(NO_LETTER))
    return [letter for letter in text if bytes(font.getmask(letter)) == missing]


def _plate(text: str, font: Font, padding: int) -> np.ndarray:
    """Draw with Pillow's font, (h, w) of 0..1, an even number of columns."""
    width, height = -(-round(font.getlength(text)) // 2) * 2, round(font.getbbox(LONGEST_LETTERS)[3])
    plate = Image.new("L", (width + 2 * padding, height + padding))
    ImageDraw.Draw(plate).text((padding, padding // 2), text, fill=255, font=font)
    return np.asarray(plate, np.float32) / 255


def _wide_plate(text: str, size: int, padding: int, beyond: list[str]) -> np.ndarray:
    """Draw as `_plate` does, with OpenCV's font; `beyond` are the letters that Pillow's lacks."""
    if not hasattr(cv2, "FontFace"):
        _refuse_letters(text, beyond, "use ASCII, or install opencv-python 5")
    _refuse_letters(text, [each for each in text if not _stands_alone(each)])
    missing = _drawn(NO_LETTER, size, padding)
    _refuse_letters(text, [each for each in text if np.array_equal(_drawn(each, size, padding), missing)])
    return _drawn(text, size, padding).astype(np.float32) / 255


def _stands_alone(letter: str) -> bool:
    """Say whether a letter is drawn rightly without a look at its neighbours."""
    return unicodedata.bidirectional(letter) not in RIGHT_TO_LEFT and unicodedata.category(letter)[0] not in "MC"


def _drawn(text: str, size: int, padding: int) -> np.ndarray:
    font = cv2.FontFace("sans")
    x, _, width, _ = cv2.getTextSize((0, 0), text, (0, 0), font, size, WEIGHT)
    plate = np.zeros((round(WIDE_LINE * size) + padding, -(-(x + width) // 2) * 2 + 2 * padding), np.uint8)
    cv2.putText(plate, text, (padding, padding // 2 + round(WIDE_BASELINE * size)), 255, font, size, WEIGHT)
    return plate


def _on_plate(letters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lay white letters, (h, w) of 0..1, over the black plate; gives colour and weight of the two together."""
    alpha = 1 - (1 - PLATE) * (1 - letters)
    grey = np.rint(255 * letters / alpha).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2), alpha


def _refuse_letters(text: str, letters: list[str], remedy: str = "use other letters") -> None:
    if letters:
        which = " ".join(dict.fromkeys(letters))
        raise UsageError(f"label {text!r} cannot be drawn, no font here draws {which}: {remedy}")
