"""Who the source is: the same person is near, another is not, and the photo's layout does not matter."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from faceswap_cli.engines import open_network
from faceswap_cli.errors import NoFaceError
from faceswap_cli.models import Entry
from faceswap_cli.options import Options
from faceswap_cli.stages.align import crop_face
from faceswap_cli.stages.bundle import _part_of
from faceswap_cli.stages.detect import Detect, open_detector
from faceswap_cli.stages.identity import Encoder, find_sources, identify
from faceswap_cli.types import Frame, Identity


def photo(path: Path) -> Frame:
    return Frame(cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB), 0)


def identity_of(photos: list[Frame], detector: Detect, encoder: Encoder) -> Identity:
    return identify(find_sources(photos, detector)[0], encoder)


@pytest.fixture(scope="module")
def detector(face_pack: Path) -> Detect:
    return open_detector(face_pack, Options(threads=1, device="cpu"))


@pytest.fixture(scope="module")
def encoder(encoder_file: Path) -> Encoder:
    return Encoder(open_network(encoder_file, "cpu", 1), _part_of(encoder_file, "encoder").contract, "arcface", 112)


@pytest.fixture(scope="module")
def people(data: Path) -> Path:
    return data / "photos" / "face_recognition"


def test_the_same_person_is_nearer_than_another(detector: Detect, encoder: Encoder, people: Path) -> None:
    one, again, other = (
        identity_of([photo(people / name)], detector, encoder).embedding
        for name in ("obama.jpg", "obama2.jpg", "biden.jpg")
    )
    assert one @ again > 0.5 > 0.3 > one @ other


def test_an_identity_has_length_one_and_names_its_space(detector: Detect, encoder: Encoder, people: Path) -> None:
    seen, notes = find_sources([photo(people / "obama.jpg"), photo(people / "obama2.jpg")], detector)
    identity = identify(seen, encoder)
    assert np.linalg.norm(identity.embedding) == pytest.approx(1, abs=1e-5)
    assert (identity.space, notes) == ("test-256", [])


def test_several_photos_average_between_them(detector: Detect, encoder: Encoder, people: Path) -> None:
    photos = [photo(people / "obama.jpg"), photo(people / "obama2.jpg")]
    both = identity_of(photos, detector, encoder).embedding
    alone = [identity_of([each], detector, encoder).embedding for each in photos]
    assert min(both @ each for each in alone) > alone[0] @ alone[1]


def test_of_several_faces_the_largest_is_taken_and_said(detector: Detect, people: Path) -> None:
    _, notes = find_sources([photo(people / "two_people.jpg")], detector)
    assert len(notes) == 1
    assert "2 faces" in notes[0]


def test_a_tight_portrait_is_given_room(detector: Detect, data: Path) -> None:
    crop = sorted((data / "faces" / "celebrities112").rglob("*.jpg"))[0]
    assert len(find_sources([photo(crop)], detector)[0]) == 1


def test_no_face_says_which_photo(detector: Detect, people: Path) -> None:
    empty = Frame(np.full((300, 200, 3), 120, np.uint8), 0)
    with pytest.raises(NoFaceError, match="photo 2"):
        find_sources([photo(people / "obama.jpg"), empty], detector)


def test_a_published_encoder_sees_the_generators_own_crop(detector: Detect, people: Path) -> None:
    class Kept:
        """Keeps what it is given; stands for a network whose input is the thing to be tested."""

        inputs = ("image",)

        def run(self, image: np.ndarray) -> list[np.ndarray]:
            self.image = image
            return [np.ones((1, 4), np.float32)]

    frame, network = photo(people / "obama.jpg"), Kept()
    contract = Entry(
        name="e", kind="encoder", file="e", licence="", source="", space="s", size=112, input_range="imagenet"
    )
    face = detector.detect(frame.rgb)[0]
    Encoder(network, contract, "simswap-five", 224).embed(frame.rgb, face)
    nearest = crop_face(frame.rgb, face, "simswap-five", 224).image[::2, ::2].astype(np.float32) / 255
    mean, deviation = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    np.testing.assert_allclose(network.image[0].transpose(1, 2, 0), (nearest - mean) / deviation, atol=1e-5)
