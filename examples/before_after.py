"""Show a swap of two photos as a row of three: whose face, into what, and the result, marked for people and machines.

python examples/before_after.py me.jpg photo.jpg before_after.jpg
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image

from faceswap_cli import FaceSwapError, Options, swap_image
from faceswap_cli.evaluation.people import list_faces
from faceswap_cli.media.photo import read_photo

WIDTH, HEIGHT = 400, 500  # of each picture, pixels
FACE = 0.46  # height of the face, of the picture's
MIDDLE = 0.5  # where its middle lies, of the picture's height
GAP = 8  # white pixels between two pictures
QUALITY = 92  # of the JPEG


def main(source: Path, target: Path, output: Path) -> None:
    """Swap, and write the row with what the result says of itself."""
    with TemporaryDirectory() as folder:
        before, after = Path(folder) / "before.png", Path(folder) / "after.png"
        head(target).save(before)
        swap_image(source, before, after, Options(label="Edited with AI"))
        with Image.open(before) as old, Image.open(after) as new:
            row(head(source), old, new).save(output, quality=QUALITY, xmp=new.info["xmp"])


def head(path: Path) -> Image.Image:
    """Cut out the largest face with what is around it, as far as the photo reaches, at WIDTH x HEIGHT."""
    faces, _ = list_faces(path, Options())
    if not faces:
        raise FaceSwapError(f"{path} shows no face")
    rgb = read_photo(path).frame.rgb
    x0, y0, x1, y1 = faces[0].face.box
    height = min((y1 - y0) / FACE, rgb.shape[0], rgb.shape[1] * HEIGHT / WIDTH)
    corner = np.array([(x0 + x1) / 2 - height * WIDTH / HEIGHT / 2, (y0 + y1) / 2 - height * MIDDLE])
    size = np.array([height * WIDTH / HEIGHT, height])
    left, top = np.clip(corner, 0, rgb.shape[1::-1] - size)
    box = (left, top, left + size[0], top + size[1])
    return Image.fromarray(rgb).resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS, box=box)


def row(*pictures: Image.Image) -> Image.Image:
    """Lay the pictures side by side."""
    wide = Image.new("RGB", (len(pictures) * (WIDTH + GAP) - GAP, HEIGHT), "white")
    for number, picture in enumerate(pictures):
        wide.paste(picture, (number * (WIDTH + GAP), 0))
    return wide


if __name__ == "__main__":
    try:
        main(*map(Path, sys.argv[1:4]))
    except FaceSwapError as error:
        sys.exit(str(error))
