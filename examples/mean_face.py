"""Make the mean face and the filter of shapes that `faceswap_cli/portrait/geometry.py` works with.

    python examples/mean_face.py DATA [--output faceswap_cli/portrait/mean_face.npz]

DATA is the folder of real photos and clips; people who are held out of all training are held out here too. The mean
face is fitted to the 66 landmarks of all faces by turns with their poses, beginning with the one that is there, so that
turned heads tell its depths. The filter is a Wiener filter: B (B + W)^-1, where B is how people differ and W how one
person's pictures do, with made expressions added, so that these are dropped however rarely the pictures show them.
"""

import argparse
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from faceswap_cli.engines.select import open_network
from faceswap_cli.evaluation.clips import PHOTO_VIEWS
from faceswap_cli.evaluation.splits import is_held_out, read_identities
from faceswap_cli.media.photo import read_photo
from faceswap_cli.media.reader import open_clip
from faceswap_cli.options import Options
from faceswap_cli.portrait import geometry
from faceswap_cli.portrait.geometry import HALF, Pose
from faceswap_cli.portrait.landmarks import BRIDGE, BROWS, EYES, JAW, LIPS, MIRRORED, LandmarkFinder
from faceswap_cli.stages.align import crop_face
from faceswap_cli.stages.detect import open_detector
from faceswap_cli.store import models

SETS = {"celebahq": "images", "congress": "."}  # folder of the pictures
EVERY, FRAMES = 8, 300  # of a clip
ROUNDS, WORST, DEPTH_PRIOR = 12, 0.08, 3.0  # fits of the mean face; share of faces left out; faces its depths weigh as
CLIP_SHARE = 0.5  # how much the spread within clips counts beside that between photos of one person
TREMBLE = 0.004  # deviation of a coordinate's own error
LOWER_LIP, CORNERS = (53, 54, 55, 56, 57, 63, 64, 65), (48, 52, 58, 62)
MOST_TURNED = np.radians([30, 25])  # yaw and pitch of faces whose shapes are compared


def main() -> None:
    """Look at everything, fit, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--output", type=Path, default=Path("faceswap_cli/portrait/mean_face.npz"))
    given = parser.parse_args()
    os.environ["FACESWAP_DATA"] = str(given.data)
    names, sets, landmarks = zip(*seen(given.data), strict=True)
    faces = np.array(landmarks, np.float64)
    mean = fitted_mean(faces)
    keep = filter_of(faces, np.array(names), np.array(sets))
    np.savez(given.output, face=mean.astype(np.float32), keep=keep.astype(np.float32))
    print(f"{given.output}: {len(faces)} faces of {len(set(names))} people")


def seen(data: Path) -> Iterator[tuple[str, str, np.ndarray]]:
    """Yield person, set and landmarks (66, 2) of every face."""
    detector = open_detector(None, Options(det_threshold=0.5, threads=1))
    finder = LandmarkFinder(open_network(models.locate("points"), "cpu", 1), models.entry("points"))
    for name, kind, rgb in pictures(data):
        for face in detector.detect(rgb, PHOTO_VIEWS)[:1]:
            yield name, kind, finder.find(crop_face(rgb, face, finder.template, 256).image)


def pictures(data: Path) -> Iterator[tuple[str, str, np.ndarray]]:
    """Yield person, set and picture of everybody who is not held out; a clip counts as one person."""
    for kind, folder in SETS.items():
        for image, person in read_identities(data / "faces" / kind).items():
            if not is_held_out(person):
                yield person, kind, read_photo(data / "faces" / kind / folder / image).frame.rgb
    for path in sorted((data / "clips").iterdir()):
        with open_clip(path) as clip:
            for frame in clip.frames():
                if frame.index > FRAMES:
                    break
                if frame.index % EVERY == 0:
                    yield path.stem, "clip", frame.rgb


def fitted_mean(faces: np.ndarray) -> np.ndarray:
    """Return the mean face (66, 3) of landmarks (N, 66, 2)."""
    mean = geometry.mean_face()
    for _ in range(ROUNDS):
        poses = [geometry.fit_pose(each, mean) for each in faces]
        misses = [
            np.abs(each - geometry.project(mean, pose)).mean() / pose.scale
            for each, pose in zip(faces, poses, strict=True)
        ]
        good = np.flatnonzero(misses <= np.quantile(misses, 1 - WORST))
        placed = np.array([_placed(faces[good], [poses[n] for n in good], mean, point) for point in range(len(mean))])
        mean = (placed + placed[MIRRORED] * [-1, 1, 1]) / 2
        mean -= mean[BRIDGE]
        mean /= 2 * mean[EYES[1], 0].mean()
    return mean


def _placed(faces: np.ndarray, poses: list[Pose], mean: np.ndarray, point: int) -> np.ndarray:
    """Return where a point of the mean face lies (3,), by least squares over all faces that show it."""
    prior = np.diag([0, 0, DEPTH_PRIOR])
    left, right = prior.copy(), prior @ mean[point]
    for place, pose in zip(faces[:, point], poses, strict=True):
        weight = geometry.visible(pose)[point] if point < JAW.stop else 1.0
        turn = geometry.rotation(*pose.angles)[:2]
        left += weight * turn.T @ turn
        right += weight * turn.T @ (place - pose.place) / pose.scale
    return np.linalg.solve(left, right)


def filter_of(faces: np.ndarray, names: np.ndarray, sets: np.ndarray) -> np.ndarray:
    """Return the filter (76, 76) of shapes (38, 2), for landmarks (N, 66, 2) of persons in sets (N,)."""
    angles = np.array([geometry.fit_pose(each).angles for each in faces])
    good = (np.abs(angles[:, :2]) < MOST_TURNED).all(axis=1)
    shapes = np.array([geometry.shape_of(each).ravel() for each in faces])
    photos, clips = (changes(shapes, names, good & (sets == kind)) for kind in ("celebahq", "clip"))
    own = photos.T @ photos / freedom(names, good & (sets == "celebahq"))
    moving = clips.T @ clips / freedom(names, good & (sets == "clip"))
    spread = own + CLIP_SHARE * moving + TREMBLE**2 * np.eye(shapes.shape[1])
    for mode in (*made_modes(), *learnt_modes(np.vstack([photos, clips]))):
        spread += np.outer(mode, mode)
    values, vectors = np.linalg.eigh(np.cov(shapes[good & (sets != "clip")].T) - own)
    people = vectors * np.maximum(values, 0) @ vectors.T
    return people @ np.linalg.inv(people + spread)


def changes(shapes: np.ndarray, names: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Return what each chosen picture's shape (76,) differs by from the mean of its person's."""
    people = [shapes[chosen & (names == name)] for name in np.unique(names[chosen])]
    return np.vstack([each - each.mean(axis=0) for each in people])


def freedom(names: np.ndarray, chosen: np.ndarray) -> int:
    """Return how many chosen pictures there are beyond the first of each person."""
    return int(chosen.sum()) - len(np.unique(names[chosen]))


def made_modes() -> list[np.ndarray]:
    """Return expressions as changes of a shape (76,), as large as they may be."""
    face = geometry.mean_face()[:, :2]
    chin = np.clip((6 - np.abs(np.arange(JAW.stop) - 8)) / 6, 0, 1)
    opened, lower, lids, lower_lids, brows, smile = (np.zeros((66, 2)) for _ in range(6))
    opened[JAW, 1], opened[[*LOWER_LIP, *CORNERS], 1] = 0.8 * chin, [1.0] * len(LOWER_LIP) + [0.3] * len(CORNERS)
    lower[list(LOWER_LIP), 1] = 1
    lids[[37, 38, 43, 44], 1] = 1
    lower_lids[[40, 41, 46, 47], 1] = 1
    brows[BROWS, 1] = 1
    smile[LIPS, 0] = face[LIPS, 0] / 0.45
    smile[list(CORNERS), 1] = -0.25
    sizes = (0.5, 0.5, 0.15, 0.1, 0.03, 0.1)
    modes = (opened, lower, lids, lower_lids, brows, smile)
    return [size * mode[HALF].ravel() for size, mode in zip(sizes, modes, strict=True)]


def learnt_modes(differences: np.ndarray) -> list[np.ndarray]:
    """Return what goes with an opening mouth and with a wider one in pictures of one person (N, 76)."""
    by_point = differences.reshape(len(differences), -1, 2)
    place = {point: row for row, point in enumerate(HALF)}
    opening = by_point[:, place[64], 1] - by_point[:, place[60], 1]
    width = -by_point[:, place[58], 0]
    eyes = by_point[:, place[40], 1] - by_point[:, place[38], 1]
    brows = -by_point[:, [place[point] for point in range(17, 22)], 1].mean(axis=1)
    with_each = np.linalg.lstsq(np.column_stack([opening, width, eyes, brows]), differences, rcond=None)[0]
    return [0.5 * with_each[0], 0.1 * with_each[1]]


if __name__ == "__main__":
    main()
