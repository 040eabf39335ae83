"""Who is meant: by place or by photo, decided for a track as a whole, and kept."""

from pathlib import Path

import numpy as np
import pytest

from faceswap_cli.errors import UsageError
from faceswap_cli.options import PLACES, Options
from faceswap_cli.stages.identity import Encoder
from faceswap_cli.stages.places import in_order
from faceswap_cli.stages.track import Located, Track
from faceswap_cli.stages.who import MOST_VIEWS, Meant, Reference
from faceswap_cli.types import Face
from tests.test_stages_track import face, frame

ANNA = np.array([1, 0], np.float32)


class BySize(Encoder):
    """An encoder to whom faces are as like Anna as told, by their width and how often they were looked at."""

    def __init__(self, **cosines: list[float]) -> None:
        self.cosines, self.asked = {int(width[1:]): each for width, each in cosines.items()}, list[int]()

    def embed(self, rgb: np.ndarray, face: Face) -> np.ndarray:
        width = round(float(face.box[2] - face.box[0]))
        told = self.cosines[width]
        cosine = told[min(self.asked.count(width), len(told) - 1)]
        self.asked.append(width)
        return np.array([cosine, np.sqrt(1 - cosine**2)], np.float32)


def like_anna(encoder: Encoder, is_meant: bool = True) -> Meant:
    return Meant(encoder, [Reference(ANNA, is_meant)], 0.35)


def followed(sightings: list[list[Face]], place: str | None = None, meant: Meant | None = None) -> list[Located]:
    frames = [frame(index) for index in range(len(sightings))]
    return list(Track(1, place, meant).follow(zip(frames, sightings, strict=True)))


def lefts(located: list[Located]) -> list[list[int]]:
    return [[round(float(each.box[0])) for each in one.faces] for one in located]


@pytest.mark.parametrize(
    ("place", "wanted"),
    [
        ("largest", [2, 1, 0]),
        ("smallest", [0, 1, 2]),
        ("left", [1, 2, 0]),
        ("right", [0, 2, 1]),
        ("top", [2, 0, 1]),
        ("bottom", [1, 0, 2]),
        ("centre", [2, 0, 1]),
        ("1", [2]),
        ("3", [0]),
        ("4", []),
    ],
)
def test_a_place_orders_the_faces(place: str, wanted: list[int]) -> None:
    """Middles: (150, 40), (10, 80) and (80, 30), in a picture of 160 x 90."""
    faces = {0: face(145, 35, 10), 1: face(0, 70, 20), 2: face(65, 15, 30)}
    assert in_order(faces, place, (90, 160, 3)) == wanted


def test_who_stands_left_is_followed_to_the_right() -> None:
    sightings = [[face(2.0 * index, 0, 20), face(90 - 2.0 * index, 45, 30)] for index in range(40)]
    assert lefts(followed(sightings, "left")) == [[2 * index] for index in range(40)]


def test_who_is_named_by_place_is_not_overtaken_and_lends_to_nobody_known() -> None:
    sightings = [[face(0, 0, 20)] * (index < 40) + [face(70, 0, 80)] for index in range(60)]
    assert lefts(followed(sightings, "left")) == [[0]] * 40 + [[]] * 20


def test_only_who_resembles_is_swapped_however_small() -> None:
    encoder = BySize(w20=[0.6], w80=[0.1])
    located = followed([[face(0, 0, 20), face(70, 0, 80)]] * 30, meant=like_anna(encoder))
    assert lefts(located) == [[0]] * 30
    assert {each.faces_found for each in located} == {2}


def test_who_resembles_one_who_is_not_meant_is_left() -> None:
    encoder = BySize(w20=[0.1], w80=[0.6])
    assert lefts(followed([[face(0, 0, 20), face(70, 0, 80)]] * 30, meant=like_anna(encoder, False))) == [[0]] * 30


def test_a_track_is_looked_at_a_few_times_and_no_more() -> None:
    encoder = BySize(w20=[0.6])
    followed([[face(0, 0, 20)]] * 300, meant=like_anna(encoder))
    assert len(encoder.asked) == MOST_VIEWS


def test_a_view_that_is_a_little_less_like_changes_nothing() -> None:
    """0.4 is enough; with 0.2 the mean's cosine is 0.30, within the doubt; below 0.25 it is not."""
    kept = like_anna(BySize(w20=[0.4, 0.2]))
    assert lefts(followed([[face(0, 0, 20)]] * 60, meant=kept))[-1] == [0]
    lost = like_anna(BySize(w20=[0.4, -0.5]))
    assert lefts(followed([[face(0, 0, 20)]] * 60, meant=lost))[-1] == []
    never = like_anna(BySize(w20=[0.3]))
    assert lefts(followed([[face(0, 0, 20)]] * 60, meant=never)) == [[]] * 60
    assert never.best == pytest.approx(0.3)


def test_of_a_photo_s_faces_those_meant_remain() -> None:
    faces, picture = [face(0, width=80), face(0, width=20), face(0, width=40)], np.zeros((90, 160, 3), np.uint8)
    meant = like_anna(BySize(w20=[0.6], w40=[0.36], w80=[0.34]))
    assert meant.of_photo(picture, faces) == faces[1:]
    assert meant.best == pytest.approx(0.6)


@pytest.mark.parametrize("who", [*PLACES, "1", "12", 3])
def test_a_place_or_number_may_be_meant(who: str | int) -> None:
    options = Options(who=who)
    assert (options.place, options.references) == (str(who), {})


def test_a_photo_may_say_who_is_meant() -> None:
    options = Options(who="like:a photo.jpg")
    assert (options.place, options.references) == (None, {Path("a photo.jpg"): True})


@pytest.mark.parametrize("who", ["", "0", "-1", "like:", "Left", "p2", "²", 0])
def test_who_cannot_be_meant_is_refused(who: str | int) -> None:
    with pytest.raises(UsageError, match="who is"):
        Options(who=who)


def test_who_and_who_not_are_told_apart() -> None:
    assert Options(not_who="like:b.jpg", faces="all").references == {Path("b.jpg"): False}
    with pytest.raises(UsageError, match="not_who is 'left'"):
        Options(not_who="left")
    with pytest.raises(UsageError, match="nobody would be left"):
        Options(who="like:b.jpg", not_who="like:b.jpg")
    with pytest.raises(UsageError, match="names one, faces all several"):
        Options(who="left", faces="all")


def test_frames_come_with_the_same_faces_each_time() -> None:
    sightings = [[face(0, 0, 20), face(70, 0, 80)]] * 40
    runs = [lefts(followed(sightings, meant=like_anna(BySize(w20=[0.6, 0.2], w80=[0.3])))) for _ in range(2)]
    assert runs[0] == runs[1]
