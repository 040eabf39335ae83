"""Who the source is: the same person is near, another is not, and the photo's layout does not matter."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from faceswap_cli.engines.select import open_network
from faceswap_cli.errors import NoFaceError, UsageError
from faceswap_cli.options import Options
from faceswap_cli.stages.align import crop_face
from faceswap_cli.stages.bundle import _part_of
from faceswap_cli.stages.detect import Detect, open_detector
from faceswap_cli.stages.identity import Encoder, find_sources, identify
from faceswap_cli.store.models import Entry
from faceswap_cli.types import Face, Frame, Identity, SourcePhoto

pytestmark = pytest.mark.usefixtures("kept_looks")


def photo(path: Path) -> Frame:
    return Frame(cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB), 0)


def named(path: Path) -> SourcePhoto:
    return SourcePhoto(photo(path), path.name)


def embed_source(
    photos: list[SourcePhoto | Frame], detector: Detect, encoder: Encoder, one_person: bool = True
) -> tuple[Identity, list[str]]:
    seen, notes = find_sources(photos, detector)
    identity, doubts = identify(seen, encoder, one_person)
    return identity, notes + doubts


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
        embed_source([photo(people / name)], detector, encoder)[0].embedding
        for name in ("obama.jpg", "obama2.jpg", "biden.jpg")
    )
    assert one @ again > 0.5 > 0.3 > one @ other


def test_an_identity_has_length_one_and_names_its_space(detector: Detect, encoder: Encoder, people: Path) -> None:
    identity, notes = embed_source([photo(people / "obama.jpg"), photo(people / "obama2.jpg")], detector, encoder)
    assert np.linalg.norm(identity.embedding) == pytest.approx(1, abs=1e-5)
    assert (identity.space, notes) == ("test-256", [])


def test_several_photos_average_between_them(detector: Detect, encoder: Encoder, people: Path) -> None:
    photos = [photo(people / "obama.jpg"), photo(people / "obama2.jpg")]
    both = embed_source(photos, detector, encoder)[0].embedding
    alone = [embed_source([each], detector, encoder)[0].embedding for each in photos]
    assert min(both @ each for each in alone) > alone[0] @ alone[1]


def test_of_several_faces_the_largest_is_taken_and_said(detector: Detect, encoder: Encoder, people: Path) -> None:
    group = named(people / "two_people.jpg")
    largest, notes = embed_source([group], detector, encoder)
    assert notes == [
        "the source's two_people.jpg shows 2 faces: the largest is taken; two_people.jpg#2 takes the second largest"
    ]
    first, second = (embed_source([replace(group, face=number)], detector, encoder) for number in (1, 2))
    assert (first[1], second[1]) == ([], [])
    assert largest.embedding @ first[0].embedding == pytest.approx(1, abs=1e-5)
    assert largest.embedding @ second[0].embedding < 0.5


@pytest.mark.parametrize("number", [0, 3])
def test_a_face_that_is_not_there_is_refused(detector: Detect, encoder: Encoder, people: Path, number: int) -> None:
    group = replace(named(people / "two_people.jpg"), face=number)
    with pytest.raises(UsageError, match=f"two_people.jpg#{number} cannot be: two_people.jpg shows 2 faces"):
        embed_source([group], detector, encoder)


def test_photos_of_different_people_are_told_apart_by_name(detector: Detect, encoder: Encoder, people: Path) -> None:
    photos = [named(people / name) for name in ("obama.jpg", "biden.jpg", "obama2.jpg")]
    with pytest.raises(UsageError, match=r"different people: obama.jpg, obama2.jpg / biden.jpg .*--force-average"):
        embed_source(photos, detector, encoder)
    mixed = embed_source(photos, detector, encoder, one_person=False)[0].embedding
    alone = [embed_source([each], detector, encoder)[0].embedding for each in photos]
    np.testing.assert_allclose(mixed, np.sum(alone, axis=0) / np.linalg.norm(np.sum(alone, axis=0)), atol=1e-5)


def test_the_other_face_of_a_photo_is_named_where_it_is_the_one_meant(
    detector: Detect, encoder: Encoder, people: Path
) -> None:
    group, alone = named(people / "two_people.jpg"), named(people / "obama.jpg")
    with pytest.raises(UsageError, match=r"two_people\.jpg#2 looks like the others; give"):
        embed_source([group, alone], detector, encoder)
    assert embed_source([replace(group, face=2), alone], detector, encoder)[1] == []


class Pointing(Encoder):
    """An encoder that looks up where a picture of one shade points, in degrees on a circle."""

    def __init__(self, degrees: dict[int, float]) -> None:
        self.space, self.degrees = "circle", degrees

    def embed(self, rgb: np.ndarray, face: Face) -> np.ndarray:
        angle = np.radians(self.degrees[int(rgb[0, 0, 0])])
        return np.array([np.cos(angle), np.sin(angle)], np.float32)


class OneFace:
    """Finds one face in every picture."""

    def search(self, rgb: np.ndarray) -> list[Face]:
        return [Face(np.array([0, 0, 8, 8], np.float32), np.zeros((5, 2), np.float32), 1.0)]


def shades(*degrees: float) -> tuple[list[Frame], OneFace, Pointing]:
    frames = [Frame(np.full((8, 8, 3), index, np.uint8), 0) for index in range(len(degrees))]
    return frames, OneFace(), Pointing(dict(enumerate(degrees)))


@pytest.mark.parametrize(
    "degrees, told",
    [
        ((0, 71), []),  # cosine 0.33
        ((0, 75), ["the source's photos may show different people: photo 1 / photo 2 (likeness 0.26)"]),
        ((0, 50), []),
        # the ends are 100 degrees apart; the last is 75 from the mean of the others
        ((0, 50, 100), ["the source's photos may show different people: photo 1, photo 2 / photo 3 (likeness 0.26)"]),
    ],
)
def test_photos_that_lie_apart_are_told_and_taken(degrees: tuple[float, ...], told: list[str]) -> None:
    assert embed_source(*shades(*degrees))[1] == told


def test_photos_that_lie_too_far_apart_are_refused() -> None:
    """79 degrees are a cosine of 0.19; of three people the first two are told."""
    with pytest.raises(UsageError, match=r"photo 1 / photo 2 \(likeness 0.19\)"):
        embed_source(*shades(0, 79))
    with pytest.raises(UsageError, match=r"photo 1 / photo 2 / photo 3 \(likeness -0.50\)"):
        embed_source(*shades(0, 120, 240))


def test_a_tight_portrait_is_given_room(detector: Detect, data: Path) -> None:
    crop = sorted((data / "faces" / "celebrities112").rglob("*.jpg"))[0]
    assert len(find_sources([photo(crop)], detector)[0]) == 1


def test_no_face_says_which_photo(detector: Detect, people: Path) -> None:
    empty = Frame(np.full((300, 200, 3), 120, np.uint8), 0)
    with pytest.raises(NoFaceError, match="photo 2"):
        embed_source([photo(people / "obama.jpg"), empty], detector, encoder)
    with pytest.raises(NoFaceError, match=r"wall.png \(200x300\)"):
        embed_source([photo(people / "obama.jpg"), SourcePhoto(empty, "wall.png")], detector, encoder)


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


@pytest.mark.parametrize("turn", [1, 2, 3])
def test_a_source_that_lies_or_stands_on_its_head_is_the_same_person(
    detector: Detect, encoder: Encoder, people: Path, turn: int
) -> None:
    upright = photo(people / "obama.jpg")
    turned = Frame(np.ascontiguousarray(np.rot90(upright.rgb, turn)), 0)
    one, other = (embed_source([each], detector, encoder)[0].embedding for each in (upright, turned))
    assert one @ other > 0.95
