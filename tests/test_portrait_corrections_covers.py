"""What lies before a face is neither painted over nor does it tint the skin beside it: drawn masks, real hands."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from faceswap_cli.media.photo import read_photo
from faceswap_cli.media.reader import open_clip
from faceswap_cli.options import Options
from faceswap_cli.pipeline import Swapper
from faceswap_cli.portrait.corrections.covers import Covers
from faceswap_cli.portrait.history import History
from faceswap_cli.stages.align import crop_face
from faceswap_cli.stages.parse import SKIN, class_share
from faceswap_cli.types import Crop

OPTIONS = Options(device="cpu", threads=1)
MASK = np.array([(0.06, 0.55), (0.5, 0.47), (0.94, 0.55), (0.88, 0.85), (0.5, 1.0), (0.12, 0.85)])  # shares of a box
BLUE, WHITE = (150, 190, 215), (235, 238, 240)
HAND = (44, slice(20, 170), slice(140, 230))  # frame, rows and columns of lp_s13.mp4: a hand that points, before white


@pytest.fixture(scope="module")
def target(data: Path) -> np.ndarray:
    return read_photo(data / "photos" / "public_domain" / "astronaut_collins_nasa.png").frame.rgb


@pytest.fixture(scope="module")
def swapper(data: Path) -> Swapper:
    return Swapper([read_photo(data / "photos" / "face_recognition" / "biden.jpg").frame], OPTIONS)


def crop_of(swapper: Swapper, rgb: np.ndarray) -> Crop:
    return crop_face(rgb, swapper.equipment.detector.search(rgb)[0], "simswap-frontal", 448)


def test_covers_reach_a_little_further_than_they_are_seen() -> None:
    """By 3 of 150 pixels and a bell of 1.5 more."""
    cover = np.zeros((150, 150), np.float32)
    cover[:, :50] = 1
    around = Covers().around(cover, 150)[75]
    assert around[:48].min() > 0.99
    assert 0.4 < around[52] < 0.7
    assert around[62:].max() < 0.01


@pytest.mark.parametrize("colour", [BLUE, WHITE])
def test_a_mask_tints_no_skin_beside_it(swapper: Swapper, target: np.ndarray, colour: tuple[int, int, int]) -> None:
    """Skin beside it gains no more of one colour than of the others: by 19 levels of blue over red, and 9, before."""
    x0, y0, x1, y1 = swapper.equipment.detector.search(target)[0].box
    corners = np.rint(MASK * (x1 - x0, y1 - y0) + (x0, y0)).astype(np.int32)
    masked = cv2.fillPoly(target.copy(), [corners], colour)
    (crop,) = swapper.equipment.parser.parse_crops([crop_of(swapper, masked)])
    stages = swapper.equipment.of_roles[0]
    (face,) = stages.fitter.fit([crop])
    (image,) = stages.generator.generate([face.crop], [face.warped])
    skin = cv2.resize(class_share(crop.class_probs, SKIN), (448, 448)) > 0.95
    weight = swapper.equipment.masker.mask([crop])[0] > 0.9
    red, _, blue = (image.astype(float) - crop.image)[skin & weight].mean(axis=0)
    assert abs(blue - red) < 5


def hand_before(crop: Crop, data: Path, steps: int = 6) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield pictures of a crop into which a hand moves from below, and where the hand is."""
    number, rows, columns = HAND
    with open_clip(data / "clips" / "lp_s13.mp4") as clip:
        hand = next(frame.rgb for frame in clip.frames() if frame.index == number)[rows, columns]
    colourful = hand.max(axis=2).astype(np.float32) - hand.min(axis=2)
    alpha = np.clip((colourful - 16) / 20, 0, 1)
    size = crop.image.shape[0]
    scale = 0.62 * size / hand.shape[0]
    for step in range(steps):
        share = step / (steps - 1)
        place = np.array([[scale, 0, (0.75 - 0.35 * share) * size], [0, scale, (1.0 - 0.55 * share) * size]])
        cover = cv2.warpAffine(alpha, place, (size, size))
        there = cv2.warpAffine(hand, place, (size, size), borderMode=cv2.BORDER_REPLICATE)
        yield np.rint(crop.image + cover[..., None] * (there.astype(np.float32) - crop.image)).astype(np.uint8), cover


def test_a_hand_before_a_face_is_hardly_painted_over(swapper: Swapper, target: np.ndarray, data: Path) -> None:
    """Of this real one 64 % were, before."""
    crop, history = crop_of(swapper, target), History()
    clean = swapper.equipment.masker.mask(swapper.equipment.parser.parse_crops([crop]))[0] > 0.9
    painted, lost = [], []
    for image, cover in hand_before(crop, data):
        weights = swapper.equipment.masker.mask(
            swapper.equipment.parser.parse_crops([replace(crop, image=image)]), history
        )[0]
        hidden = clean & (cv2.erode(cover, np.ones((5, 5))) > 0.95)
        painted += list(weights[hidden])
        lost += list(1 - weights[clean & (cv2.dilate(cover, np.ones((25, 25))) < 0.05)])
    assert len(painted) > 5000
    assert np.mean(painted) < 0.4
    assert np.mean(lost) < 0.03
