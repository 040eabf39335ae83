"""Say whether faces are found and swapped whichever way up they lie, beside the same faces upright.

    python examples/judge_rotation.py DATA [--photos 20] [--swaps 20]

Photos of CelebA-HQ are turned by 12 angles, searched, swapped and turned back. What the swap changed is compared with
what it changed in the upright photo: as root mean square of levels, 0..255, over the face's box. Turning there and
back alone changes a photo too; that is the resampling, measured on the upright swap.
"""

import argparse
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from faceswap_cli.media.photo import read_photo
from faceswap_cli.options import Options
from faceswap_cli.pipeline import Swapper
from faceswap_cli.stages.align import inverse, transform
from faceswap_cli.stages.tally import Tally
from faceswap_cli.types import Face, Frame

ANGLES = range(0, 360, 30)
SIDE = 512  # pixels of the photos
GREY = (110, 110, 110)
NEAR = 0.25  # of the distance of the eyes that the points may be off for a face to count as found


def turning(degrees: int) -> tuple[np.ndarray, tuple[int, int]]:
    """Return the matrix (2, 3) by which a photo is turned, and the size of what holds it then."""
    radians = np.radians(degrees)
    side = int(np.ceil(SIDE * (abs(np.cos(radians)) + abs(np.sin(radians))) - 1e-6))
    matrix = cv2.getRotationMatrix2D(((SIDE - 1) / 2, (SIDE - 1) / 2), degrees, 1.0)
    matrix[:, 2] += (side - SIDE) / 2
    return matrix, (side, side)


def turned(rgb: np.ndarray, matrix: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Turn a picture, over grey."""
    return cv2.warpAffine(rgb, matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_CONSTANT, borderValue=GREY)


def found(face: Face, faces: Sequence[Face], matrix: np.ndarray) -> bool:
    """Tell whether a face of the upright photo is among those of the turned one."""
    expected = transform(face.points.astype(np.float64), matrix)
    reach = NEAR * float(np.linalg.norm(face.points[0] - face.points[1]))
    return any(float(np.linalg.norm(each.points - expected, axis=1).mean()) < reach for each in faces)


def swapped(swapper: Swapper, rgb: np.ndarray) -> np.ndarray:
    """Return the picture with its largest face swapped."""
    result = rgb.astype(np.float32)
    for patch in swapper.photo(Frame(rgb, 0, 0, Fraction(1)), Tally()).patches:
        there = result[patch.y : patch.y + patch.rgb.shape[0], patch.x : patch.x + patch.rgb.shape[1]]
        there += patch.alpha[..., None] * (patch.rgb - there)
    return np.rint(result).astype(np.uint8)


def rms(one: np.ndarray, other: np.ndarray, box: np.ndarray) -> float:
    """Return the root mean square of the difference of two pictures within a box."""
    x0, y0, x1, y1 = np.rint(box.clip(0, SIDE)).astype(int)
    return float(np.sqrt(np.square(one[y0:y1, x0:x1].astype(float) - other[y0:y1, x0:x1]).mean()))


def main() -> None:
    """Print a line for each angle."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("data", type=Path, metavar="DATA")
    arguments.add_argument("--photos", type=int, default=20)
    arguments.add_argument("--swaps", type=int, default=20, help="the first so many of them are swapped, too")
    given = arguments.parse_args()
    files = sorted((given.data / "faces" / "celebahq" / "images").glob("*.jpg"))
    source = read_photo(given.data / "photos" / "face_recognition" / "obama.jpg").frame
    swapper = Swapper([source], Options(device="cpu", threads=1))
    is_found: dict[int, list[bool]] = {degrees: [] for degrees in ANGLES}
    levels: dict[int, list[tuple[float, float, float]]] = {degrees: [] for degrees in ANGLES}
    for number, file in enumerate(files[:: len(files) // given.photos][: given.photos]):
        rgb = cv2.resize(read_photo(file).frame.rgb, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        faces = swapper.equipment.detector.search(rgb)
        upright = swapped(swapper, rgb) if faces and number < given.swaps else None
        for degrees in ANGLES if faces else ():
            matrix, size = turning(degrees)
            lying = turned(rgb, matrix, size)
            is_found[degrees].append(found(faces[0], swapper.equipment.detector.search(lying), matrix))
            if upright is not None:
                levels[degrees].append(compared(swapper, lying, (rgb, upright), degrees, faces[0].box))
    show(is_found, levels)


def compared(
    swapper: Swapper, lying: np.ndarray, pictures: tuple[np.ndarray, np.ndarray], degrees: int, box: np.ndarray
) -> tuple[float, float, float]:
    """Return how far a turned photo's swap is from its upright one, what turning alone does, what swapping does."""
    (rgb, upright), (matrix, size) = pictures, turning(degrees)
    back = turned(swapped(swapper, lying), inverse(matrix), (SIDE, SIDE))
    resampled = turned(turned(upright, matrix, size), inverse(matrix), (SIDE, SIDE))
    return rms(back, upright, box), rms(resampled, upright, box), rms(upright, rgb, box)


def show(is_found: dict[int, list[bool]], levels: dict[int, list[tuple[float, float, float]]]) -> None:
    """Print a line for each angle, and the share found in all."""
    print("angle  found  swap, turned back  resampling  swap itself   (root mean square, levels)")
    for degrees, rows in levels.items():
        back, resampled, itself = np.mean(np.array(rows).reshape(-1, 3), axis=0) if rows else [np.nan] * 3
        print(f"{degrees:5}  {np.mean(is_found[degrees]):5.0%}  {back:17.2f}  {resampled:10.2f}  {itself:11.2f}")
    print(f"found {np.mean([each for row in is_found.values() for each in row]):.1%} of those found upright")


if __name__ == "__main__":
    main()
