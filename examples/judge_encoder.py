"""Judge an identity encoder on pairs of photos of people whom neither it nor its teacher's imitation was trained on.

    python examples/judge_encoder.py DATA ENCODER... [--seed 0]

DATA holds faces/lfw_grey_pairs, a folder with two photos for each of 300 people. Each ENCODER is a MobileFaceNet: an
ONNX file, a checkpoint of a run or the published state dict; all after the first are also compared with the first, so
give the teacher first. Printed are the balanced accuracy of telling 300 pairs of one person from 300 pairs of two at
the best threshold, the same in ten folds whose threshold comes from the other nine (LFW's protocol), the mean cosine of
either kind of pair, and the mean cosine to the first encoder.
"""

import argparse
from pathlib import Path

import numpy as np
import torch

from faceswap_cli.media.photo import read_photo
from faceswap_cli.networks.mobilefacenet import MobileFaceNet, imagenet_normalise
from faceswap_cli.options import Options
from faceswap_cli.stages.align import crop_face
from faceswap_cli.stages.detect import Detect, open_detector
from faceswap_cli.training.data.face_set import ENCODER_SIZE, to_tensor
from faceswap_cli.training.teachers.encoders import load_encoder

THRESHOLD = 0.5  # the swapper's own 0.75 misses some of these grey faces
FOLDS = 10


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("encoders", type=Path, nargs="+", metavar="ENCODER")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    detector = open_detector(None, Options(det_threshold=THRESHOLD, min_face=1))
    people = [
        crops
        for folder in sorted((options.data / "faces" / "lfw_grey_pairs").iterdir())
        if folder.is_dir() and len(crops := cut(folder, detector)) == 2
    ]
    print(f"{len(people)} people with a face in both photos")
    first: np.ndarray | None = None
    for path in options.encoders:
        vectors = embed(load_encoder(path), people)
        print(f"{path.name}: {judge(vectors, options.seed)}", end="")
        print("" if first is None else f"; cosine to the first {float((vectors * first).sum(axis=2).mean()):.3f}")
        first = vectors if first is None else first


def cut(folder: Path, detector: Detect) -> list[np.ndarray]:
    """Return the encoder's crops of the first two photos: of the face in the middle, where LFW has who it names."""
    crops = []
    for path in sorted(folder.glob("*.jpg"))[:2]:
        rgb = read_photo(path).frame.rgb
        faces = detector.detect(rgb)
        middle = np.array(rgb.shape[1::-1]) / 2
        faces.sort(key=lambda face: float(np.linalg.norm(face.points.mean(axis=0) - middle)))
        crops += [crop_face(rgb, face, "arcface", ENCODER_SIZE).image for face in faces[:1]]
    return crops


@torch.no_grad()
def embed(encoder: MobileFaceNet, people: list[list[np.ndarray]]) -> np.ndarray:
    """Return (people, 2, D), L2 norm 1."""
    vectors = [encoder(imagenet_normalise(to_tensor(crops))).numpy() for crops in people]
    stacked = np.stack(vectors)
    unit: np.ndarray = stacked / np.linalg.norm(stacked, axis=2, keepdims=True)
    return unit


def judge(vectors: np.ndarray, seed: int) -> str:
    """Say how well same and different people are told apart; each person is paired once with another one."""
    order = np.random.default_rng(seed).permutation(len(vectors))
    same = (vectors[:, 0] * vectors[:, 1]).sum(axis=1)[order]
    different = (vectors[order, 0] * vectors[np.roll(order, 1), 1]).sum(axis=1)
    best = accuracy(same, different, threshold(same, different))
    folds = [
        accuracy(one, other, threshold(np.delete(same, rows), np.delete(different, rows)))
        for rows in np.array_split(np.arange(len(same)), FOLDS)
        for one, other in [(same[rows], different[rows])]
    ]
    return (
        f"accuracy {best:.3f} at the best threshold, {np.mean(folds):.3f} in {FOLDS} folds; "
        f"cosine of one person {same.mean():.3f}, of two {different.mean():.3f}"
    )


def threshold(same: np.ndarray, different: np.ndarray) -> float:
    """Return the cosine that tells pairs apart best."""
    candidates = np.sort(np.concatenate([same, different]))
    return float(candidates[np.argmax([accuracy(same, different, candidate) for candidate in candidates])])


def accuracy(same: np.ndarray, different: np.ndarray, limit: float) -> float:
    """Return the balanced accuracy, 0..1, of calling pairs with a cosine of at least `limit` one person."""
    return float(((same >= limit).mean() + (different < limit).mean()) / 2)


if __name__ == "__main__":
    main()
