"""Judge a face detector against SCRFD and YuNet, on people and clips that ours was not trained on.

    python examples/judge_detector.py DATA [--face-pack DIR] [--threshold 0.5] [--by-eye tests/faces_by_eye.toml]

DATA holds weights/detect, faces/celebahq, faces/congress, photos and clips. Printed are: recall of SCRFD's faces by
size, the points' distance from the mean of both judges as a share of the eyes' distance (and how far the judges are
apart), and the finds in cuts from beside faces in which neither judge sees one. With --by-eye all detectors are judged
by a list of faces that someone saw, and nothing else is done.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np

from faceswap_cli.evaluation.by_eye import Find, Labelled, labelled, score
from faceswap_cli.evaluation.splits import is_held_out, read_identities
from faceswap_cli.media.photo import read_photo
from faceswap_cli.media.reader import open_clip
from faceswap_cli.options import Options
from faceswap_cli.stages.detect import Detect, open_detector
from faceswap_cli.stages.doubles import overlap
from faceswap_cli.stages.views import Views
from faceswap_cli.training.supporting.detector_data import Pictures, find_all, overlaps
from faceswap_cli.training.supporting.detector_tiles import cuts_beside_faces
from faceswap_cli.training.teachers.yunet import YuNet
from faceswap_cli.types import Face

CLIPS = ("vr_*", "intel_*", "roop_*", "fs_*")  # none of them is trained on
FRAME_STEP = 12
SMALL, LEAST = 32.0, 20.0  # pixels of a face's shorter side
MOSAIC, CELL = 640, 80  # photos shrunk to cells give small faces among others
HIT = 0.5  # overlap (IoU) from which two boxes show one face
SAME = 0.3  # overlap from which two looks of one detector found the same face


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--face-pack", type=Path)
    parser.add_argument("--threshold", type=float, default=0.5)
    parser.add_argument("--by-eye", type=Path, help="list of labelled faces")
    options = parser.parse_args()
    weights = options.data / "weights" / "detect"
    yunet = YuNet(weights / "yunet_n_dynamic.onnx", threshold=0.5)
    detector = open_detector(options.face_pack, Options(det_threshold=options.threshold, min_face=1))
    scrfd = open_scrfd(weights / "scrfd_2.5g_bnkps.onnx")
    if options.by_eye is not None:
        small = open_scrfd(weights / "scrfd_500m_kps.onnx")
        finds: dict[str, Find] = {
            "ours": detector.detect,
            "SCRFD 2.5g": scrfd.detect,
            "SCRFD 500m": lambda rgb: find_in_squares(rgb, small),
            "YuNet": lambda rgb: [as_face(row) for row in find_all(rgb, yunet)],
        }
        judge_by_eye(finds, list(labelled(options.by_eye, options.data)))
        return
    photos = list(held_out_photos(options.data))
    for name, pictures in (
        ("portraits", photos),
        ("photos", list(loose_photos(options.data))),
        ("clips", list(frames(options.data))),
        ("mosaics", mosaics(photos)),
    ):
        compare(name, pictures, detector, (scrfd, yunet))
    count_false(photos, detector, (scrfd, yunet))


def open_scrfd(network: Path) -> Detect:
    """Open one of InsightFace's detectors, at its own threshold."""
    with TemporaryDirectory() as folder:
        (Path(folder) / network.name).symlink_to(network.absolute())
        return open_detector(Path(folder), Options(min_face=1))


def judge_by_eye(finds: dict[str, Find], pictures: list[Labelled]) -> None:
    """Print what each detector makes of the labelled faces, and what it misses."""
    for name, find in finds.items():
        seen = score(find, pictures)
        print(
            f"{name}: {seen.pictures} pictures; {seen.found} of {seen.faces} found, recall {seen.recall:.3f}; "
            f"{seen.false} false; points {seen.point_error:.4f} of the eyes' distance away; missed: "
            f"{', '.join(seen.missed) or 'none'}",
            flush=True,
        )


def find_in_squares(rgb: np.ndarray, detector: Detect) -> list[Face]:
    """Find with a network that takes 640 x 640 alone: the picture fills a square, then half of one for large faces."""
    found: list[Face] = []
    for times in (1, 2):
        side = times * max(rgb.shape[:2])
        square = np.zeros((side, side, 3), np.uint8)
        square[: rgb.shape[0], : rgb.shape[1]] = rgb
        finds = detector.detect(square, Views((640,)))
        found += [face for face in finds if all(overlap(face, other) < SAME for other in found)]
    return found


def as_face(row: np.ndarray) -> Face:
    """Make a face of one of YuNet's rows: box, five points, score."""
    return Face(row[:4], row[4:14].reshape(5, 2), float(row[14]))


def compare(name: str, pictures: list[np.ndarray], detector: Detect, judges: tuple[Detect, YuNet]) -> None:
    """Print recall and the points' error on some pictures."""
    scrfd, yunet = judges
    hits: dict[bool, list[bool]] = {True: [], False: []}
    ours, apart, extra = [], [], 0
    for rgb in pictures:
        found, expected, second = detector.detect(rgb), scrfd.detect(rgb), find_all(rgb, yunet)
        extra += sum(best_match(face, expected) is None and not touches(face, second) for face in found)
        for face in expected:
            side = float(min(face.box[2:] - face.box[:2]))
            if side < LEAST:
                continue
            match = best_match(face, found)
            hits[side < SMALL].append(match is not None)
            other = nearest(face, second)
            if match is None or other is None:
                continue
            mean = (face.points + other) / 2
            ours.append(error(match.points, mean))
            apart.append(error(face.points, other))
    print(
        f"{name}: {len(pictures)} pictures; recall {share(hits[False])}, 20 to 32 px {share(hits[True])}; points "
        f"{np.mean(ours):.4f} (median {np.median(ours):.4f}) from the judges' mean, the judges {np.mean(apart):.4f} "
        f"apart; {extra} finds that no judge shares",
        flush=True,
    )


def count_false(photos: list[np.ndarray], detector: Detect, judges: tuple[Detect, YuNet]) -> None:
    """Print how often a face is found in cuts in which the judges see none."""
    scrfd, yunet = judges
    faces = [find_all(rgb, yunet) for rgb in photos]
    kept = [number for number, found in enumerate(faces) if len(found)]
    pictures = Pictures(np.zeros(len(kept)), [photos[n] for n in kept], [faces[n] for n in kept])
    cuts = [cut for cut in cuts_beside_faces(pictures) if not scrfd.detect(cut) and not len(find_all(cut, yunet))]
    false = sum(len(detector.detect(cut)) for cut in cuts)
    print(f"cuts without a face: {false} finds in {len(cuts)}")


def held_out_photos(data: Path) -> Iterator[np.ndarray]:
    """Yield the portraits of people kept out of every training."""
    for folder in (data / "faces" / "celebahq", data / "faces" / "congress"):
        for name, person in read_identities(folder).items():
            path = next((each for each in (folder / name, folder / "images" / name) if each.is_file()), None)
            if path is not None and is_held_out(person):
                yield read_photo(path).frame.rgb


def loose_photos(data: Path) -> Iterator[np.ndarray]:
    """Yield the photos of one, two and many people, at most 1280 pixels long."""
    for path in sorted((data / "photos").rglob("*")):
        if path.suffix.lower() in (".jpg", ".png"):
            rgb = read_photo(path).frame.rgb
            scale = min(1.0, 1280 / max(rgb.shape[:2]))
            yield cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)


def frames(data: Path) -> Iterator[np.ndarray]:
    """Yield every twelfth frame of the clips."""
    for pattern in CLIPS:
        for path in sorted((data / "clips").glob(pattern)):
            with open_clip(path) as clip:
                yield from (frame.rgb for number, frame in enumerate(clip.frames()) if number % FRAME_STEP == 0)


def mosaics(photos: list[np.ndarray]) -> list[np.ndarray]:
    """Put portraits, shrunk to half a cell up to a cell, into pictures of many small faces."""
    draw, count = np.random.default_rng(0), (MOSAIC // CELL) ** 2
    made = []
    for start in range(0, len(photos) - count + 1, count):
        canvas = np.full((MOSAIC, MOSAIC, 3), 110, np.uint8)
        for place, rgb in enumerate(photos[start : start + count]):
            scale = CELL * draw.uniform(0.5, 1.0) / max(rgb.shape[:2])
            small = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)[:CELL, :CELL]
            y, x = CELL * (place // (MOSAIC // CELL)), CELL * (place % (MOSAIC // CELL))
            canvas[y : y + small.shape[0], x : x + small.shape[1]] = small
        made.append(canvas)
    return made


def best_match(face: Face, others: list[Face]) -> Face | None:
    """Return the face that shows the same one, None where there is none."""
    if not others:
        return None
    overlap = overlaps(face.box[None], np.stack([other.box for other in others]))[0]
    return others[int(overlap.argmax())] if overlap.max() >= HIT else None


def nearest(face: Face, rows: np.ndarray) -> np.ndarray | None:
    """Return the five points of YuNet's find that shows the same face."""
    if not len(rows):
        return None
    overlap = overlaps(face.box[None], rows[:, :4])[0]
    return rows[int(overlap.argmax()), 4:14].reshape(5, 2) if overlap.max() >= HIT else None


def touches(face: Face, rows: np.ndarray) -> bool:
    """Tell whether YuNet sees a face there."""
    return bool(len(rows)) and bool(overlaps(face.box[None], rows[:, :4]).max() >= 0.3)


def error(points: np.ndarray, expected: np.ndarray) -> float:
    """Return the mean distance of five points as a share of the distance between the expected eyes."""
    eyes = float(np.linalg.norm(expected[1] - expected[0]))
    return float(np.linalg.norm(points - expected, axis=1).mean()) / max(eyes, 1.0)


def share(hits: list[bool]) -> str:
    """Write a share with its count."""
    return f"{np.mean(hits):.3f} of {len(hits)}" if hits else "none"


if __name__ == "__main__":
    main()
