"""What the numbers of a decoded picture mean: matrix, range, primaries, transfer, where chroma samples lie.

Numbers are those of ITU-T H.273, which every container and codec shares.
"""

import struct
from dataclasses import dataclass
from fractions import Fraction
from typing import cast

import av
import numpy as np
from av.sidedata.sidedata import SideData, SideDataContainer
from av.sidedata.sidedata import Type as SideDataType

# H.273 table 4: matrix coefficients -> (Kr, Kb).
LUMA_WEIGHTS = {
    1: (0.2126, 0.0722),
    4: (0.30, 0.11),
    5: (0.299, 0.114),
    6: (0.299, 0.114),
    7: (0.212, 0.087),
    9: (0.2627, 0.0593),
    10: (0.2627, 0.0593),
}
UNSPECIFIED = 2
FULL_RANGE = 2  # AVCOL_RANGE_JPEG
# The numbers swscale gives the same matrices (SWS_CS_*).
SWSCALE_MATRICES = {1: 1, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9, 10: 9}


@dataclass(frozen=True, slots=True)
class Colours:
    """The colour description of a clip's pictures, as tagged in the file."""

    matrix: int
    primaries: int
    transfer: int
    full_range: bool
    range_tag: int  # 0 untagged, 1 limited, 2 full
    height: int  # stored height of the picture: decides what an untagged matrix means

    @property
    def effective_matrix(self) -> int:
        """The matrix to calculate with: the tag, or by size as players do where there is none (HD 709, else 601)."""
        if self.matrix in LUMA_WEIGHTS:
            return self.matrix
        return 1 if self.height > 576 else 6

    @property
    def swscale_matrix(self) -> int:
        """The effective matrix in swscale's numbers."""
        return SWSCALE_MATRICES[self.effective_matrix]

    def from_rgb(self) -> np.ndarray:
        """Give the (3, 4) matrix from R'G'B' in [0, 1] to Y' in [0, 1], Cb and Cr in [-0.5, 0.5] (H.273 eq. 38-40)."""
        red, blue = LUMA_WEIGHTS[self.effective_matrix]
        luma = np.array([red, 1 - red - blue, blue])
        rows = [luma, (np.array([0, 0, 1]) - luma) / (2 * (1 - blue)), (np.array([1, 0, 0]) - luma) / (2 * (1 - red))]
        return np.hstack([np.array(rows), np.zeros((3, 1))])

    def code_values(self, bits: int) -> tuple[np.ndarray, np.ndarray]:
        """Give scale and offset from `from_rgb`'s output to the stored numbers of that many bits (H.273 eq. 23-31)."""
        step = float(1 << (bits - 8))
        top = float((1 << bits) - 1)
        middle = float(1 << (bits - 1))
        if self.full_range:
            return np.array([top, top, top]), np.array([0.0, middle, middle])
        return np.array([219.0, 224.0, 224.0]) * step, np.array([16 * step, middle, middle])


def colours_of(picture: av.VideoFrame) -> Colours:
    """Read the colour description of a decoded picture."""
    name = picture.format.name
    untagged_full = name.startswith("yuvj") or name.startswith("gray") or picture.format.is_rgb
    return Colours(
        matrix=int(picture.colorspace),
        primaries=int(picture.color_primaries),
        transfer=int(picture.color_trc),
        full_range=picture.color_range == FULL_RANGE or (picture.color_range == 0 and untagged_full),
        range_tag=int(picture.color_range),
        height=picture.height,
    )


@dataclass(frozen=True, slots=True)
class Mastering:
    """HDR10's static metadata: the display a film was graded on, and its brightest light."""

    primaries: tuple[Fraction, ...] | None  # x, y of red, green, blue and white
    luminance: tuple[Fraction, Fraction] | None  # darkest and brightest, in cd/m2
    light_level: tuple[int, int] | None  # brightest pixel and brightest frame average, in cd/m2

    def words(self, per_colour: int, per_candela: int) -> dict[str, str]:
        """Write "display" and "light" as encoders read them, in 1/`per_colour` and 1/`per_candela` cd/m2."""
        chosen = {}
        if self.primaries and self.luminance:
            numbers = [_number(value, per_colour) for value in self.primaries]
            red, green, blue, white = (f"({x},{y})" for x, y in zip(numbers[::2], numbers[1::2], strict=True))
            darkest, brightest = (_number(value, per_candela) for value in self.luminance)
            chosen["display"] = f"G{green}B{blue}R{red}WP{white}L({brightest},{darkest})"
        if self.light_level:
            chosen["light"] = f"{self.light_level[0]},{self.light_level[1]}"
        return chosen


def _number(value: Fraction, per_unit: int) -> str:
    """Write whole units, or plain decimals where the unit is 1."""
    return str(round(value * per_unit)) if per_unit > 1 else f"{float(value):.6f}"


def mastering_of(picture: av.VideoFrame) -> Mastering | None:
    """Read HDR10's static metadata from a decoded picture; None where there is none."""
    found = {side_data.type: bytes(side_data) for side_data in side_data_of(picture)}
    display = found.get(SideDataType.MASTERING_DISPLAY_METADATA)
    light = found.get(SideDataType.CONTENT_LIGHT_LEVEL)
    if display is None and light is None:
        return None
    primaries, luminance = _display(display) if display else (None, None)
    return Mastering(primaries, luminance, struct.unpack_from("<II", light) if light else None)


def _display(content: bytes) -> tuple[tuple[Fraction, ...] | None, tuple[Fraction, Fraction] | None]:
    """Unpack AVMasteringDisplayMetadata: ten fractions of two int32 each, then which of them are set."""
    *numbers, has_primaries, has_luminance = struct.unpack_from("<22i", content)
    values = [Fraction(over, under or 1) for over, under in zip(numbers[::2], numbers[1::2], strict=True)]
    return (tuple(values[:8]) if has_primaries else None, (values[8], values[9]) if has_luminance else None)


def side_data_of(picture: av.VideoFrame) -> list[SideData]:
    """Return what a picture carries beside its samples; nothing where one kind is new to the library.

    PyAV 18 raises ValueError for all of it when it meets a kind it has no name for, such as the EXIF data of a JPEG.
    """
    try:
        return list(cast(SideDataContainer, picture.side_data))
    except ValueError:
        return []
