"""Digest every swapped frame of a few clips and photo pairs: two versions that print the same lines swap the same.

    python examples/digests.py DATA [--model lite] [--fast] > before.txt

DATA is the folder FACESWAP_DATA names. A line holds what was swapped and the SHA-256 of all its patches: place, pixels
and weights, before any encoder. One thread, so that sums are taken in one order. --fast: 10 frames and 6 pairs.
"""

import argparse
import hashlib
from itertools import islice
from pathlib import Path

from faceswap_cli.media.photo import read_photo
from faceswap_cli.media.reader import open_clip
from faceswap_cli.options import Options
from faceswap_cli.pipeline import Swapper
from faceswap_cli.stages.tally import Tally
from faceswap_cli.types import Swapped

# turned, small and dark faces, glasses, beards, open mouths, hair over brows
SOURCES = (
    "photos/simswap/mouth_open.jpg",
    "photos/face_recognition/obama.jpg",
    "photos/simswap/Iron_man.jpg",
    "photos/deepface/img4.jpg",
    "photos/public_domain/astronaut_collins_nasa.png",
    "photos/face_recognition/alex-lacamoire.png",
    "photos/edge_liveportrait/s12.jpg",
    "photos/deepface/img17.jpg",
    "photos/deepface/img8.jpg",
    "photos/face_recognition/obama2.jpg",
    "faces/celebahq/images/01a16a82ec1c42cab59a4dda09aab006.jpg",
)
TARGETS = (
    "photos/simswap/ds.jpg",
    "photos/deepface/img8.jpg",
    "photos/edge_liveportrait/s6.jpg",
    "photos/deepface/img17.jpg",
    "photos/simswap/mouth_open.jpg",
    "photos/face_recognition/alex-lacamoire.png",
    "photos/face_recognition/two_people.jpg",
    "photos/deepface/img11.jpg",
    "photos/edge_liveportrait/s42.jpg",
    "photos/simswap/Iron_man.jpg",
    "photos/edge_liveportrait/s10.jpg",
    "photos/deepface/img7.jpg",
)
CLIPS = ("lp_d0.mp4", "lp_d14.mp4", "roop_target_1080p.mp4", "intel_asl_sister.mkv", "lp_d20.mp4", "vr_1.mp4")
FRAMES, PAIRS_OF_EACH = 40, 4


def main() -> None:
    """Swap and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", default="lite")
    parser.add_argument("--fast", action="store_true")
    given = parser.parse_args()
    options = Options(model=given.model, faces="all", threads=1, device="cpu")
    sources, clips, frames, each = SOURCES, CLIPS, FRAMES, PAIRS_OF_EACH
    if given.fast:
        sources, clips, frames, each = SOURCES[:3], CLIPS[1:2], 10, 2
    for number, source in enumerate(sources):
        swapper = Swapper([read_photo(given.data / source).frame], options)
        for step in range(each):
            target = TARGETS[(number + 3 * step) % len(TARGETS)]
            print_digest(f"{source} in {target}", swapper.photo(read_photo(given.data / target).frame, Tally()))
        for name in clips[number : number + 1]:
            with open_clip(given.data / "clips" / name) as clip:
                for swapped in swapper.frames(islice(clip.frames(), frames), Tally()):
                    print_digest(f"{source} in {name} {swapped.frame.index}", swapped)


def print_digest(name: str, swapped: Swapped) -> None:
    """Print one line: a name, how many faces, the SHA-256 of their patches."""
    digest = hashlib.sha256()
    for patch in swapped.patches:
        digest.update(repr((patch.x, patch.y, patch.rgb.shape)).encode() + patch.rgb.tobytes() + patch.alpha.tobytes())
    print(name, len(swapped.patches), digest.hexdigest(), flush=True)


if __name__ == "__main__":
    main()
