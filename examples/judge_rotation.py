"""Say whether faces are found and swapped whichever way up they lie, beside the same faces upright.

    python examples/judge_rotation.py DATA [--photos 20] [--swaps 20] [--angles 0 30 ...] [--part tuning] [--sheet PNG]

Photos of CelebA-HQ are turned by 12 angles, searched, swapped and turned back. What the swap changed is compared with
what it changed in the upright photo: as root mean square of levels, 0..255, over the face's box, where the face was
found. Turning alone changes pictures too, and it is done twice: the photo is resampled before it is swapped, the swap
after. The second is measured on the upright swap (`resampled`); both, and what a swap makes of a resampled photo, are
what is left where the upright face's points are given (`points given`): finding faces better cannot give less. The
detector sees faces in cells, so a photo moved by whole pixels might be swapped otherwise too: the last line but one.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from faceswap_cli.evaluation.splits import part_of, read_identities
from faceswap_cli.media.photo import read_photo
from faceswap_cli.media.sheet import save_sheet
from faceswap_cli.options import Options
from faceswap_cli.pipeline import Swapper
from faceswap_cli.stages.align import inverse, transform
from faceswap_cli.stages.track import Located
from faceswap_cli.types import Face, Frame

# From the upright swap, in levels: the one turned back, the same with points given, the upright one resampled; and what
# the swap changes.
Levels = tuple[float, float, float, float]

ANGLES = range(0, 360, 30)
MOVED = np.array([[1.0, 0, 5], [0, 1, 3]])  # an upright photo is moved by so many pixels
SIDE = 512  # pixels of the photos
GREY = (110, 110, 110)
TILE, AROUND = 300, 1.2  # pixels a side of a face on the sheet, and times its box that is shown
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


def swapped(swapper: Swapper, rgb: np.ndarray, faces: Sequence[Face]) -> np.ndarray:
    """Return the picture with the largest of its faces swapped."""
    result = rgb.astype(np.float32)
    for patch in swapper.swap(Located(Frame(rgb, 0, 0, Fraction(1)), tuple(faces[:1]), len(faces))).patches:
        there = result[patch.y : patch.y + patch.rgb.shape[0], patch.x : patch.x + patch.rgb.shape[1]]
        there += patch.alpha[..., None] * (patch.rgb - there)
    return np.rint(result).astype(np.uint8)


def rms(one: np.ndarray, other: np.ndarray, box: np.ndarray) -> float:
    """Return the root mean square of the difference of two pictures within a box."""
    x0, y0, x1, y1 = np.rint(box.clip(0, SIDE)).astype(int)
    return float(np.sqrt(np.square(one[y0:y1, x0:x1].astype(float) - other[y0:y1, x0:x1]).mean()))


@dataclass(slots=True, eq=False)
class Judged:
    """What was measured so far, by angle."""

    is_found: dict[int, list[bool]] = field(default_factory=dict)
    levels: dict[int, list[Levels]] = field(default_factory=dict)
    moved: list[Levels] = field(default_factory=list)  # of upright photos that are not turned
    tiles: list[np.ndarray] = field(default_factory=list)  # of the sheet: a row for each photo


def main() -> None:
    """Print a line for each angle."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("data", type=Path, metavar="DATA")
    arguments.add_argument("--photos", type=int, default=20)
    arguments.add_argument("--swaps", type=int, default=20, help="the first so many of them are swapped, too")
    arguments.add_argument("--angles", type=int, nargs="+", default=list(ANGLES), metavar="DEGREES")
    arguments.add_argument("--part", choices=("training", "tuning", "reporting"), help="photos of these people alone")
    arguments.add_argument("--sheet", type=Path, metavar="PNG", help="the photo, its swap and those turned back")
    given = arguments.parse_args()
    source = read_photo(given.data / "photos" / "face_recognition" / "obama.jpg").frame
    swapper, judged = Swapper([source], Options(device="cpu", threads=1)), Judged()
    for number, rgb in enumerate(photos(given.data / "faces" / "celebahq", given.part, given.photos)):
        judge(swapper, rgb, given.angles, number < given.swaps, judged)
    show(judged)
    if given.sheet is not None:
        save_sheet(judged.tiles, 3 + len(given.angles), given.sheet)


def photos(folder: Path, part: str | None, count: int) -> Iterator[np.ndarray]:
    """Yield so many photos (SIDE, SIDE, 3), spread over all people or those of one part."""
    names = sorted(name for name, who in read_identities(folder).items() if part is None or part_of(who) == part)
    for name in names[:: max(1, len(names) // count)][:count]:
        yield cv2.resize(read_photo(folder / "images" / name).frame.rgb, (SIDE, SIDE), interpolation=cv2.INTER_AREA)


def judge(swapper: Swapper, rgb: np.ndarray, angles: Sequence[int], swaps: bool, judged: Judged) -> None:
    """Turn a photo by all angles, see whether its face is found, and swap it."""
    detector = swapper.equipment.detector
    faces = detector.search(rgb)
    if not faces:
        return
    upright, box = swapped(swapper, rgb, faces) if swaps else rgb, faces[0].box
    tiles = [rgb, upright]
    for degrees, (matrix, size) in [(None, (MOVED, (SIDE, SIDE))), *((each, turning(each)) for each in angles)]:
        lying = turned(rgb, matrix, size)
        seen = detector.search(lying)
        if degrees is not None:
            judged.is_found.setdefault(degrees, []).append(found(faces[0], seen, matrix))
        if swaps and found(faces[0], seen[:1], matrix):
            told = replace(seen[0], points=transform(faces[0].points, matrix).astype(np.float32))
            shown = [swapped(swapper, lying, each) for each in (seen, [told])] + [turned(upright, matrix, size)]
            backs = [turned(each, inverse(matrix), (SIDE, SIDE)) for each in shown]
            rows = judged.moved if degrees is None else judged.levels.setdefault(degrees, [])
            rows.append((*(rms(back, upright, box) for back in backs), rms(upright, rgb, box)))
            tiles.append(backs[0])
    judged.tiles += [tile(each, box) for each in tiles] if swaps else []


def tile(rgb: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Return a face with a little around it, (TILE, TILE, 3)."""
    side = AROUND * float((box[2:] - box[:2]).max())
    scale, middle = TILE / side, (box[:2] + box[2:]) / 2
    matrix = np.hstack([scale * np.eye(2), (TILE / 2 - scale * middle)[:, None]])
    return cv2.warpAffine(rgb, matrix, (TILE, TILE), flags=cv2.INTER_CUBIC, borderValue=GREY)


def show(judged: Judged) -> None:
    """Print a line for each angle, for photos that are only moved, and the share found in all."""
    print("angle  found  swap, turned back  points given  resampled  swap itself   (root mean square, levels)")
    for degrees, seen in judged.is_found.items():
        print(f"{degrees:5}  {np.mean(seen):5.0%}  {_line(judged.levels.get(degrees, []))}")
    print(f"moved         {_line(judged.moved)}")
    print(f"found {np.mean([each for row in judged.is_found.values() for each in row]):.1%} of those found upright")


def _line(levels: list[Levels]) -> str:
    back, told, resampled, itself = np.mean(levels, axis=0) if levels else [np.nan] * 4
    return f"{back:17.2f}  {told:12.2f}  {resampled:9.2f}  {itself:11.2f}"


if __name__ == "__main__":
    main()
