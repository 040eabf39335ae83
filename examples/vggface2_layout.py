"""Make a folder in VGGFace2's layout of other people's pictures, to try a whole training on.

    python examples/vggface2_layout.py DATA/faces/celebahq DATA/faces/congress --output /tmp/vggface2 --pictures 2000

Each folder names its people in `identities.tsv`; those with most pictures come first. As VGGFace2's, a picture is the
face's box and 0.3 of it on every side, where the picture has so much, 90 to 200 pixels wide, in
`train/n000001/0001_01.jpg`: the person, the picture, the face in it.
"""

import argparse
from collections import defaultdict
from pathlib import Path

import numpy as np
from PIL import Image

from faceswap_cli.options import Options
from faceswap_cli.stages.detect import open_detector
from faceswap_cli.training.data.pictures import People, walk

LOOSE = 0.3  # of the box, added on every side
NARROWEST, WIDEST = 90, 200  # pixels
QUALITY = 90  # of the JPEG


def main() -> None:
    """Read the command line and write the pictures."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("folders", type=Path, nargs="+")
    arguments.add_argument("--output", type=Path, required=True)
    arguments.add_argument("--pictures", type=int, default=2000)
    arguments.add_argument("--seed", type=int, default=0)
    told = arguments.parse_args()
    detector, draws = open_detector(None, Options(threads=1)), np.random.default_rng(told.seed)
    written = people = 0
    for pictures in by_person(told.folders):
        crops = [crop for path in pictures if (crop := loose_crop(path, detector, draws)) is not None]
        folder = told.output / "train" / f"n{people + 1:06d}"
        for number, crop in enumerate(crops[: told.pictures - written], 1):
            folder.mkdir(parents=True, exist_ok=True)
            crop.save(folder / f"{number:04d}_01.jpg", quality=QUALITY)
            written += 1
        people += bool(crops)
        if written == told.pictures:
            break
    print(f"{written} pictures of {people} people in {told.output}")


def by_person(folders: list[Path]) -> list[list[Path]]:
    """Return the pictures of every person, who has most first."""
    found: dict[str, list[Path]] = defaultdict(list)
    for folder in folders:
        people = People(folder)
        for path in walk(folder):
            found[people.of(path)].append(path)
    return sorted(found.values(), key=len, reverse=True)


def loose_crop(path: Path, detector, draws: np.random.Generator) -> Image.Image | None:
    """Return a picture's largest face with what VGGFace2 leaves around it, small; None where there is no face."""
    picture = Image.open(path).convert("RGB")
    faces = detector.detect(np.asarray(picture))
    if not faces:
        return None
    box = max(faces, key=lambda face: face.area).box
    border = LOOSE * (box[2:] - box[:2])
    left, top = np.maximum(np.rint(box[:2] - border), 0).astype(int)
    right, bottom = np.minimum(np.rint(box[2:] + border), picture.size).astype(int)
    crop = picture.crop((left, top, right, bottom))
    crop.thumbnail((int(draws.integers(NARROWEST, WIDEST + 1)), 10_000), Image.Resampling.LANCZOS)
    return crop


if __name__ == "__main__":
    main()
