"""Put one face into every photo and clip of a folder: the Python API in one screen.

python examples/swap_folder.py me.jpg holiday/ swapped/
"""

import sys
from pathlib import Path

from faceswap_cli import FaceSwapError, Options, swap_image, swap_video

PHOTOS = {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff"}
CLIPS = {".mp4", ".mov", ".mkv", ".webm"}


def main(source: Path, folder: Path, output: Path) -> None:
    """Swap what can be swapped, and say of the rest why not."""
    output.mkdir(parents=True, exist_ok=True)
    options = Options(faces="all", force=True)
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in PHOTOS | CLIPS:
            continue
        swap = swap_image if path.suffix.lower() in PHOTOS else swap_video
        try:
            result = swap(source, path, output, options, progress=show)
        except FaceSwapError as error:
            print(f"{path.name}: {error}")
            continue
        print(f"{result.output}: {result.faces_swapped} faces in {result.frames} frames, {result.seconds:.1f} s")


def show(done: int, total: int | None) -> None:
    """Print how far the file at hand is."""
    print(f"\r{done}/{total or '?'}", end="\r", file=sys.stderr)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:4]))
