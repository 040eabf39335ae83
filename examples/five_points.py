"""Learn how the five points of a face are read from its 66 landmarks: `faceswap_cli/portrait/five_points.py` does it.

    python examples/five_points.py DATA [--photos 400] [--output faceswap_cli/portrait/five_points.npz]

Photos of CelebA-HQ's people who are not held out are seen at several sizes, each time moved and turned a little:
one look's points are 0.03 to 0.04 of the eyes' distance from the mean of all looks, which is what the map is to tell.
It is a ridge regression. The last fifth of the people is not learnt from; what it says of them is printed.
"""

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from faceswap_cli.engines.select import open_network
from faceswap_cli.evaluation.splits import photos_by_person
from faceswap_cli.media.photo import read_photo
from faceswap_cli.options import Options
from faceswap_cli.portrait.five_points import CROP_SIDE, standardising
from faceswap_cli.portrait.landmarks import LandmarkFinder
from faceswap_cli.stages.align import crop_face, inverse, transform
from faceswap_cli.stages.detect import Detect, open_detector
from faceswap_cli.stages.views import Views
from faceswap_cli.store import models
from faceswap_cli.types import Face

SIDE = 512  # pixels of the photos
LONG = (112, 192, 300, 400)  # pixels of a face in the looks at it
MARGIN, MOST = 1.7, 640  # a look is so many times as long as the face, and at most so many pixels
SHIFT, LEAN = 16.0, 8.0  # pixels and degrees by which a face is moved and turned in a look, at most
RIDGE = 0.1  # of what keeps the map small; 0.001 to 1 tell those not learnt from within 0.030 to 0.039
LEARNT = 0.8  # share of the people

Pair = tuple[np.ndarray, np.ndarray]


def main() -> None:
    """Look at everybody, fit, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--photos", type=int, default=400)
    parser.add_argument("--output", type=Path, default=Path("faceswap_cli/portrait/five_points.npz"))
    given = parser.parse_args()
    people = list(seen(given.data / "faces" / "celebahq", given.photos))
    known = round(LEARNT * len(people))
    read = fitted([pair for person in people[:known] for pair in person])
    others = [pair for person in people[known:] for pair in person]
    np.savez(given.output, read=read.astype(np.float32))
    off = np.mean([np.linalg.norm(told(read, rows) - goals, axis=1).mean() for rows, goals in others])
    eyes = np.mean([np.linalg.norm(goals[1] - goals[0]) for _, goals in others])
    print(f"{given.output}: {known} people; of {len(people) - known} others it is {off / eyes:.3f} eyes' distances off")


def seen(folder: Path, count: int) -> Iterator[list[Pair]]:
    """Yield for each person the landmarks (66, 2) of several crops and the five points (5, 2), both standardised."""
    detector = open_detector(None, Options(device="cpu", threads=1))
    finder = LandmarkFinder(open_network(models.locate("points"), "cpu", 1), models.entry("points"))
    draws = np.random.default_rng(0)
    people = sorted(photos_by_person(folder, "images", ("training",)).items())
    for number in draws.permutation(len(people))[:count]:
        rgb = cv2.resize(read_photo(people[number][1][0]).frame.rgb, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        for face in detector.detect(rgb, Views((320,)))[:1]:
            looks = [each for long in LONG if (each := look(detector, rgb, face, long, draws)) is not None]
            if len(looks) == len(LONG):
                yield pairs_of(finder, rgb, face, looks)


def look(detector: Detect, rgb: np.ndarray, face: Face, long: int, draws: np.random.Generator) -> np.ndarray | None:
    """Return the points (5, 2) the detector finds where the face is so many pixels long, in pixels of the photo."""
    side = min(MOST, 32 * round(MARGIN * long / 32))
    x, y = (float(each) for each in face.points.mean(axis=0))
    scale = long / float((face.box[2:] - face.box[:2]).max())
    matrix = cv2.getRotationMatrix2D((x, y), draws.uniform(-LEAN, LEAN), scale)
    matrix[:, 2] += side / 2 - np.array([x, y]) + draws.uniform(-SHIFT, SHIFT, 2)
    view = cv2.warpAffine(rgb, matrix, (side, side), flags=cv2.INTER_AREA)
    found = detector.detect(view, Views((side,)))
    return transform(found[0].points.astype(np.float64), inverse(matrix)) if found else None


def pairs_of(finder: LandmarkFinder, rgb: np.ndarray, face: Face, looks: list[np.ndarray]) -> list[Pair]:
    """Return the landmarks as they are seen in crops aligned by each look and by their mean, with the mean."""
    goal = np.mean(looks, axis=0)
    pairs = []
    for points in (goal, *looks):
        crop = crop_face(rgb, replace(face, points=points.astype(np.float32)), finder.template, CROP_SIDE)
        landmarks = transform(finder.find(crop.image) * CROP_SIDE - 0.5, inverse(crop.to_crop))
        to_template = standardising(landmarks)
        pairs.append((transform(landmarks, to_template), transform(goal, to_template)))
    return pairs


def fitted(pairs: list[Pair]) -> np.ndarray:
    """Return the map (133, 10): a row for each coordinate of the landmarks, and one for what is added."""
    rows, goals = (np.array([each.ravel() for each in side]) for side in zip(*pairs, strict=True))
    row, goal = rows.mean(axis=0), goals.mean(axis=0)
    spread = (rows - row).T @ (rows - row) + RIDGE * np.eye(rows.shape[1])
    read = np.linalg.solve(spread, (rows - row).T @ (goals - goal))
    return np.vstack([read, goal - row @ read])


def told(read: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """Return what a map says of landmarks (66, 2)."""
    return (np.append(landmarks, 1.0) @ read).reshape(5, 2)


if __name__ == "__main__":
    main()
