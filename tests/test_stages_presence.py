"""What a detector finds is a face where a parser is sure of an eye, a brow, glasses or a mouth."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from faceswap_cli.app.swap import swap_image
from faceswap_cli.errors import NoFaceError
from faceswap_cli.media.photo import read_photo
from faceswap_cli.options import Options
from faceswap_cli.pipeline import Swapper
from faceswap_cli.portrait.history import History
from faceswap_cli.portrait.open_bundle import OpenBundle
from faceswap_cli.stages.align import crop_face
from faceswap_cli.stages.bundle import find_bundle
from faceswap_cli.stages.parse import BROWS, EYES, GLASSES, HAIR, LIPS, MOUTH, SKIN
from faceswap_cli.stages.presence import FEATURES_BACK, parted
from faceswap_cli.stages.tally import Tally
from faceswap_cli.stages.track import Located
from faceswap_cli.stages.views import Views
from faceswap_cli.types import NO_FACE, Crop, Face

SIDE = 160
OPTIONS = Options(model="mobile", device="cpu", threads=1)
EAR = "faces/celebahq/images/e15b89a1e93945ae8288ebcbe95e2f8f.jpg"
REAL = {
    "shut eyes below a fringe": "faces/celebahq/images/21933e6462754f648896b799bc788d61.jpg",
    "a profile in oil": "faces/congress/vv_007231/wiki.jpg",
    "dark lenses": "faces/celebahq/images/2ff81b0c7c9a402183435f80edf9c414.jpg",
    "terracotta": "photos/edge_liveportrait/s6.jpg",
}


def seen(pixels: int, label: int = EYES[0], prob: float = 1.0, track: int = 0) -> Crop:
    """A crop of skin in which so many pixels are something else, so surely."""
    classes = np.zeros((19, SIDE * SIDE), np.float32)
    classes[SKIN[0]] = 1
    classes[label, :pixels], classes[SKIN[0], :pixels] = prob, 1 - prob
    face = Face(np.float32([0, 0, 8, 8]), np.zeros((5, 2), np.float32), 0.8, track)
    return Crop(np.zeros((8, 8, 3), np.uint8), np.eye(2, 3), face, classes.reshape(19, SIDE, SIDE))


def is_face(crop: Crop) -> bool:
    faces, others = parted([crop])
    assert faces + others == [crop]
    return bool(faces)


@pytest.mark.parametrize("label", [*BROWS, *EYES, GLASSES, MOUTH, *LIPS])
def test_a_face_is_what_has_39_pixels_of_25600_that_surely_are_a_feature(label: int) -> None:
    """0.0015 of the crop are 38.4 pixels."""
    assert is_face(seen(39, label)) and not is_face(seen(38, label))
    assert is_face(seen(39, label, prob=0.96)) and not is_face(seen(SIDE * SIDE, label, prob=0.94))


@pytest.mark.parametrize("label", [*SKIN, HAIR])
def test_skin_a_nose_and_hair_make_no_face(label: int) -> None:
    assert not is_face(seen(SIDE * SIDE, label))


def test_what_no_parser_looked_at_is_taken_for_a_face() -> None:
    assert is_face(replace(seen(0), class_probs=None))


def test_in_a_clip_who_showed_a_feature_stays_a_face_for_half_a_second() -> None:
    history = History()
    frames = [seen(0), seen(39), *[seen(0)] * (FEATURES_BACK + 2)]
    told = [len(parted([crop], history)[0]) for crop in frames]
    assert told == [0, 1, *[1] * FEATURES_BACK, 0, 0]


def test_each_track_is_told_by_what_itself_showed() -> None:
    history = History()
    parted([seen(39, track=0), seen(0, track=1)], history)
    faces, others = parted([seen(0, track=0), seen(0, track=1)], history)
    assert [crop.face.track for crop in faces] == [0]
    assert [crop.face.track for crop in others] == [1]


def test_an_ear_is_left_whole_and_said(data: Path, portrait: Path, tmp_path: Path) -> None:
    with pytest.raises(NoFaceError, match="has neither eyes, brows nor a mouth: nothing is written") as error:
        swap_image(portrait, data / EAR, tmp_path / "out.png", OPTIONS)
    assert error.value.exit_code == 3
    assert list(tmp_path.iterdir()) == []


def test_an_ear_beside_a_face_is_counted_and_the_face_swapped(data: Path, portrait: Path) -> None:
    frame, tally = read_photo(data / EAR).frame, Tally()
    swapper = Swapper([read_photo(portrait).frame], OPTIONS)
    (ear,) = swapper.equipment.detector.search(frame.rgb)
    other = read_photo(portrait).frame.rgb
    rgb = np.hstack([frame.rgb, cv2.resize(other, (512, 512))])
    (face,) = (found for found in swapper.equipment.detector.search(rgb) if found.box[0] > 512)
    located = Located(replace(frame, rgb=rgb), (ear, replace(face, track=7)), 2)
    tally.add(located)
    swapped = swapper.swap(located)
    tally.miss(swapped)
    assert [(each.face, each.why) for each in swapped.missed] == [(ear, NO_FACE)]
    assert [patch.x > 400 for patch in swapped.patches] == [True]
    assert (tally.no_faces, tally.faces_turned, tally.faces_empty, tally.shows_a_swap) == (1, 0, 0, True)


@pytest.mark.parametrize("name", REAL)
@pytest.mark.parametrize("width", [None, 24])
def test_faces_with_little_to_be_seen_of_them_are_faces(data: Path, name: str, width: int | None) -> None:
    opened = OpenBundle(find_bundle(OPTIONS), OPTIONS)
    rgb = read_photo(data / REAL[name]).frame.rgb
    face = opened.detector().detect(rgb, Views((640, 128)))[0]
    scale = 1.0 if width is None else width / float(face.box[2] - face.box[0])
    small = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    face = replace(face, box=face.box * scale, points=face.points * np.float32(scale))
    assert opened.parser is not None
    (crop,) = opened.parser.parse_crops([crop_face(small, face, "simswap-frontal", 256)])
    assert is_face(crop)
