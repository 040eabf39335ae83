"""Who is meant: by place or by photo, decided for a track as a whole, and kept."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from faceswap_cli.errors import NoFaceError, UsageError
from faceswap_cli.media.face_file import write_face_file
from faceswap_cli.media.people_file import People, Person, Sighting
from faceswap_cli.options import PLACES, Options, Who
from faceswap_cli.stages.cast import Cast, find_cast
from faceswap_cli.stages.choice import Moment
from faceswap_cli.stages.identity import Encoder
from faceswap_cli.stages.places import in_order
from faceswap_cli.stages.track import Located, Track
from faceswap_cli.stages.who import MOST_VIEWS, Known, Recogniser, Wanted
from faceswap_cli.types import Face, Identity, KnownFace
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


LIKE_ANNA, NOT_ANNA = Wanted(known=0), Wanted(spared=0)


def knowing_anna(encoder: Encoder) -> Recogniser:
    return Recogniser(encoder, [Known(ANNA)], 0.35)


def followed(sightings: list[list[Face]], *wanted: Wanted, by: Recogniser | None = None) -> list[Located]:
    frames = [frame(index) for index in range(len(sightings))]
    return list(Track(1, wanted, by).follow(zip(frames, sightings, strict=True)))


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


def test_the_middle_of_a_picture_is_that_of_its_height_too() -> None:
    """(80, 80) is 35 from (80, 45), (118, 45) is 38."""
    faces = {0: face(108, 35, 20), 1: face(70, 70, 20)}
    assert in_order(faces, "centre", (90, 160, 3)) == [1, 0]


def test_who_stands_left_is_followed_to_the_right() -> None:
    sightings = [[face(2.0 * index, 0, 20), face(90 - 2.0 * index, 45, 30)] for index in range(40)]
    assert lefts(followed(sightings, Wanted(place="left"))) == [[2 * index] for index in range(40)]


def test_who_is_named_by_place_is_not_overtaken_and_lends_to_nobody_known() -> None:
    sightings = [[face(0, 0, 20)] * (index < 40) + [face(70, 0, 80)] for index in range(60)]
    assert lefts(followed(sightings, Wanted(place="left"))) == [[0]] * 40 + [[]] * 20


def test_only_who_resembles_is_swapped_however_small() -> None:
    encoder = BySize(w20=[0.6], w80=[0.1])
    located = followed([[face(0, 0, 20), face(70, 0, 80)]] * 30, LIKE_ANNA, by=knowing_anna(encoder))
    assert lefts(located) == [[0]] * 30
    assert {each.faces_found for each in located} == {2}


def test_who_resembles_one_who_is_not_meant_is_left() -> None:
    encoder = BySize(w20=[0.1], w80=[0.6])
    located = followed([[face(0, 0, 20), face(70, 0, 80)]] * 30, NOT_ANNA, by=knowing_anna(encoder))
    assert lefts(located) == [[0]] * 30


def test_a_track_is_looked_at_a_few_times_and_no_more() -> None:
    encoder = BySize(w20=[0.6])
    followed([[face(0, 0, 20)]] * 300, LIKE_ANNA, by=knowing_anna(encoder))
    assert len(encoder.asked) == MOST_VIEWS


def looked_at(widths: list[float], encoder: Encoder) -> list[int | None]:
    """Who one track is taken for in each frame, of a noise that is much as sharp at any size, where it is so wide."""
    known, noise = knowing_anna(encoder), np.random.default_rng(0).integers(0, 255, (320, 320, 3), np.uint8)
    frames = [replace(frame(index), rgb=noise) for index in range(len(widths))]
    moments = [Moment(at, 0, {7: face(100, 100, width)}) for at, width in zip(frames, widths, strict=True)]
    return [known.of_clip(moments[at : at + 7])[7] for at in range(len(moments))]


def test_who_comes_near_is_recognised_by_better_views_in_place_of_the_worst() -> None:
    """The five views up to frame 60 have a cosine of 0.1. At 105 one of 0.9 makes it 0.28, a second one at 120 0.48."""
    encoder = BySize(w40=[0.1], w80=[0.9])
    assert looked_at([40] * 100 + [80] * 100, encoder) == [None] * 120 + [0] * 80
    assert encoder.asked == [40] * 5 + [80] * 5


def test_who_is_seen_hardly_better_is_not_looked_at_again() -> None:
    encoder = BySize(w40=[0.1], w44=[0.9])
    assert looked_at([40] * 100 + [44] * 100, encoder) == [None] * 200
    assert encoder.asked == [40] * 5


def test_a_view_that_is_a_little_less_like_changes_nothing() -> None:
    """0.4 is enough; with 0.2 the mean's cosine is 0.30, within the doubt; below 0.25 it is not."""
    kept = knowing_anna(BySize(w20=[0.4, 0.2]))
    assert lefts(followed([[face(0, 0, 20)]] * 60, LIKE_ANNA, by=kept))[-1] == [0]
    lost = knowing_anna(BySize(w20=[0.4, -0.5]))
    assert lefts(followed([[face(0, 0, 20)]] * 60, LIKE_ANNA, by=lost))[-1] == []
    never = knowing_anna(BySize(w20=[0.3]))
    assert lefts(followed([[face(0, 0, 20)]] * 60, LIKE_ANNA, by=never)) == [[]] * 60
    assert never.best == [pytest.approx(0.3)]


def test_of_a_photo_s_faces_those_meant_remain() -> None:
    faces, picture = [face(0, width=80), face(0, width=20), face(0, width=40)], np.zeros((90, 160, 3), np.uint8)
    known = knowing_anna(BySize(w20=[0.6], w40=[0.36], w80=[0.34]))
    assert known.of_photo(picture, faces) == [None, 0, 0]
    assert known.best == [pytest.approx(0.6)]
    assert Cast([LIKE_ANNA], known, None).of_photo(picture, faces) == {1: 0, 2: 0}
    assert Cast([LIKE_ANNA], known, 1).of_photo(picture, faces) == {1: 0}
    assert Cast([NOT_ANNA], known, None).of_photo(picture, faces) == {0: 0}


@pytest.mark.parametrize("who", [*PLACES, "1", "12", 3])
def test_a_place_or_number_may_be_meant(who: str | int) -> None:
    options = Options(who=who)
    assert options.meant == Who(place=str(who))


def test_a_photo_may_say_who_is_meant() -> None:
    assert Options(who="like:a photo.jpg").meant == Who(photo=Path("a photo.jpg"))


def test_a_name_may_be_meant_where_there_are_people() -> None:
    assert Options(who="p2", people=Path("people")).meant == Who(person="p2")
    assert Options(not_who="Anna B.", people=Path("people")).spared == Who(person="Anna B.")


@pytest.mark.parametrize("who", ["", "0", "-1", "like:", "Left", "p2", "²", 0])
def test_who_cannot_be_meant_is_refused(who: str | int) -> None:
    with pytest.raises(UsageError, match="who is"):
        Options(who=who)


@pytest.mark.parametrize("kind", ["man", "women", "female", "age:20-40", "gender=f", "child"])
def test_nobody_is_meant_by_age_or_gender_and_a_line_says_how_else(kind: str) -> None:
    told = f"is .{kind}.: no network here guesses age or gender: name one by a place"
    for meant in ({"who": kind}, {"not_who": kind}, {"faces": kind}):
        with pytest.raises(UsageError, match=told):
            Options(**meant)
    with pytest.raises(UsageError, match="faces is 'many': give largest, all"):
        Options(faces="many")


def test_who_and_who_not_are_told_apart() -> None:
    assert Options(not_who="like:b.jpg", faces="all").spared == Who(photo=Path("b.jpg"))
    with pytest.raises(UsageError, match="not_who is 'left'"):
        Options(not_who="left")
    with pytest.raises(UsageError, match="nobody would be left"):
        Options(who="like:b.jpg", not_who="like:b.jpg")
    with pytest.raises(UsageError, match="names one, faces all several"):
        Options(who="left", faces="all")


def test_frames_come_with_the_same_faces_each_time() -> None:
    sightings = [[face(0, 0, 20), face(70, 0, 80)]] * 40
    runs = [lefts(followed(sightings, LIKE_ANNA, by=knowing_anna(BySize(w20=[0.6, 0.2], w80=[0.3])))) for _ in range(2)]
    assert runs[0] == runs[1]


BEN = np.array([0, 1], np.float32)


def knowing_both(encoder: Encoder) -> Recogniser:
    """Anna and Ben; who has a cosine of 0.6 to Anna has one of 0.8 to him, and 0.9 goes with 0.44."""
    return Recogniser(encoder, [Known(ANNA), Known(BEN)], 0.35)


def roles(located: list[Located]) -> list[dict[int, int]]:
    return [{round(float(each.box[0])): each.role for each in one.faces} for one in located]


def test_each_role_goes_to_its_own_person() -> None:
    encoder = BySize(w20=[0.9], w80=[0.6])
    located = followed(
        [[face(0, 0, 20), face(70, 0, 80)]] * 30, Wanted(known=1), Wanted(known=0), by=knowing_both(encoder)
    )
    assert roles(located) == [{70: 0, 0: 1}] * 30


def test_who_is_like_two_is_the_likest_alone() -> None:
    encoder = BySize(w20=[0.9])
    assert roles(followed([[face(0, 0, 20)]] * 9, Wanted(known=1), by=knowing_both(encoder))) == [{}] * 9
    assert roles(followed([[face(0, 0, 20)]] * 9, Wanted(known=0), by=knowing_both(encoder))) == [{0: 0}] * 9


def test_a_view_that_is_likest_another_by_a_little_changes_nobody() -> None:
    """The mean of 0.9 and 0.4 lies at a cosine of 0.69 to Anna and 0.72 to Ben, that of 0.9 and 0.1 at 0.57, 0.82."""
    kept, lost = knowing_both(BySize(w20=[0.9, 0.4])), knowing_both(BySize(w20=[0.9, 0.1]))
    assert roles(followed([[face(0, 0, 20)]] * 30, LIKE_ANNA, by=kept))[-1] == {0: 0}
    assert roles(followed([[face(0, 0, 20)]] * 30, LIKE_ANNA, by=lost))[-1] == {}


def test_a_face_meant_by_two_roles_has_the_first() -> None:
    left, right = Wanted(place="left"), Wanted(place="right")
    alone, two = [face(0, 0, 20)], [face(0, 0, 20), face(70, 0, 80)]
    assert roles(followed([alone] * 9, left, right)) == [{0: 0}] * 9
    assert roles(followed([two] * 9, left, right)) == [{0: 0, 70: 1}] * 9
    picture = np.zeros((90, 160, 3), np.uint8)
    assert Cast([left, right], None, 1).of_photo(picture, alone) == {0: 0}
    assert Cast([left, right], None, 1).of_photo(picture, two) == {0: 0, 1: 1}


def written(**paths: list[list[float]]) -> People:
    """People who were written down at some places: seconds and box."""
    persons = [Person(name, ANNA, (Sighting(np.array(path, float), 9, None),)) for name, path in paths.items()]
    return People(tuple(persons), "another", "")


def test_who_is_written_down_is_known_by_when_and_where_alone() -> None:
    """The clip begins at 7 seconds by its own clock; nobody is asked for likeness."""
    encoder = BySize()
    people = written(p1=[[0, 0, 0, 20, 20], [1, 30, 0, 50, 20]], p2=[[0, 70, 0, 150, 80], [1, 70, 0, 150, 80]])
    known = Recogniser(encoder, [Known(None, 0)], 0.35, people)
    frames = [replace(frame(index), pts=index + 210, start=Fraction(7)) for index in range(30)]
    sightings = [[face(float(index), 0, 20), face(70, 0, 80)] for index in range(30)]
    located = list(Track(1, [Wanted(known=0)], known).follow(zip(frames, sightings, strict=True)))
    assert lefts(located) == [[index] for index in range(30)]
    assert encoder.asked == []


def test_who_is_not_written_down_is_known_by_likeness() -> None:
    known = Recogniser(BySize(w20=[0.6]), [Known(ANNA, 0)], 0.35, written(p1=[[5, 0, 0, 20, 20], [6, 0, 0, 20, 20]]))
    assert roles(followed([[face(0, 0, 20)]] * 9, LIKE_ANNA, by=known)) == [{0: 0}] * 9


def test_who_is_written_down_and_not_named_is_nobody_named_however_like() -> None:
    """The face is p2's; p1 alone is named, and it would be like her."""
    encoder = BySize(w20=[0.9])
    people = written(p1=[[0, 70, 0, 90, 20]], p2=[[0, 0, 0, 20, 20], [1, 0, 0, 20, 20]])
    known = Recogniser(encoder, [Known(ANNA, 0)], 0.35, people)
    assert roles(followed([[face(0, 0, 20)]] * 9, LIKE_ANNA, by=known)) == [{}] * 9
    assert encoder.asked == []


def test_a_photo_finds_who_is_written_down_under_another_name() -> None:
    """The face is p2's; p1 and a photo that is like it are named."""
    people = written(p1=[[0, 70, 0, 90, 20]], p2=[[0, 0, 0, 20, 20], [1, 0, 0, 20, 20]])
    known = Recogniser(BySize(w20=[0.6]), [Known(BEN, 0), Known(ANNA)], 0.35, people)
    named = Wanted(known=0), Wanted(known=1)
    assert roles(followed([[face(0, 0, 20)]] * 9, *named, by=known)) == [{0: 1}] * 9
    assert known.of_photo(np.zeros((90, 160, 3), np.uint8), [face(0, 0, 20), face(70, 0, 20)]) == [1, 0]


def cast_of(names: list[str | None], **options: str) -> Cast:
    """The cast of some names where nobody is shown by a photo: no network is asked."""
    return find_cast(names, Options(**options), None, BySize(), None)[0]  # type: ignore[arg-type]


def test_who_is_named_by_a_map_or_by_the_options_gets_the_role() -> None:
    assert cast_of(["left", "2"]).wanted == [Wanted(place="left"), Wanted(place="2")]
    assert cast_of([None], who="right").wanted == [Wanted(place="right")]
    assert (cast_of([None]).limit, cast_of([None], faces="all").limit) == (1, None)


@pytest.mark.parametrize(
    ("names", "options", "says"),
    [
        ([None, "left"], {"who": "right"}, "who is 'right', and the map names 'left' too"),
        (["left", "left"], {}, "names the same person twice: left, left"),
        (["left"], {"faces": "all"}, "a place names one, faces all several"),
        (["p1"], {}, "p1"),
    ],
)
def test_names_that_contradict_each_other_or_the_options_are_refused(
    names: list[str | None], options: dict[str, str], says: str
) -> None:
    with pytest.raises(UsageError, match=says):
        cast_of(names, **options)


def test_the_nearest_is_the_best_likeness_to_whom_a_role_is_for() -> None:
    known = knowing_both(BySize(w20=[0.3]))
    assert Cast([LIKE_ANNA], known, 1).nearest() is None, "nobody was looked at"
    known.of_photo(np.zeros((90, 160, 3), np.uint8), [face(0, 0, 20)])
    assert Cast([LIKE_ANNA], known, 1).nearest() == pytest.approx(0.3)
    assert Cast([LIKE_ANNA, Wanted(known=1)], known, 1).nearest() == pytest.approx(0.91**0.5)
    assert Cast([Wanted(place="left")], known, 1).nearest() is None
    assert Cast([LIKE_ANNA], None, 1).nearest() is None


class Finding:
    """A detector that finds these faces in every photo."""

    def __init__(self, *faces: Face) -> None:
        self.faces = list(faces)

    def search(self, rgb: np.ndarray) -> list[Face]:
        return self.faces


class InSpace(BySize):
    """An encoder whose space has a name."""

    space = "ours"


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    cv2.imwrite(str(tmp_path / "anna.png"), np.zeros((90, 160, 3), np.uint8))
    return tmp_path / "anna.png"


def test_who_is_shown_by_a_photo_is_its_largest_face_and_looked_for_once(photo: Path) -> None:
    encoder, detect = BySize(w40=[0.6]), Finding(face(0, 0, 40), face(70, 0, 20))
    options = Options(not_who=f"like:{photo}", faces="all")
    cast, notes = find_cast([None, f"like:{photo}"], options, None, encoder, detect)  # type: ignore[arg-type]
    assert notes == ["anna.png shows 2 faces: the largest says who is meant"]
    assert cast.wanted == [Wanted(spared=0), Wanted(known=0, spared=0)]
    assert encoder.asked == [40]
    assert find_cast([f"like:{photo}"], Options(), None, encoder, Finding(face(0, 0, 40)))[1] == []  # type: ignore[arg-type]


def test_a_photo_without_a_face_says_nobody(photo: Path) -> None:
    with pytest.raises(NoFaceError, match=r"no face found in anna\.png"):
        find_cast([f"like:{photo}"], Options(), None, BySize(), Finding())  # type: ignore[arg-type]


@pytest.mark.parametrize(("space", "asked"), [("ours", []), ("another", [40])])
def test_a_saved_source_may_say_who_is_meant(space: str, asked: list[int], tmp_path: Path) -> None:
    """By its identity where the encoder is the same; its portrait, of a face 40 wide, says it to another."""
    known = KnownFace(face(10, 10, 40), Identity(ANNA, space))
    write_face_file(tmp_path / "anna.face", np.zeros((90, 160, 3), np.uint8), known, [])
    encoder = InSpace(w40=[0.6], w20=[0.9])
    cast, _ = find_cast([f"like:{tmp_path / 'anna.face'}"], Options(), None, encoder, Finding())  # type: ignore[arg-type]
    assert encoder.asked == asked
    assert cast.of_photo(np.zeros((90, 160, 3), np.uint8), [face(0, 0, 20)]) == {0: 0}


@pytest.mark.parametrize(("space", "roles_given"), [("ours", {0: 0}), ("another", {})])
def test_who_is_written_down_is_known_by_likeness_too_where_the_encoder_is_the_same(
    space: str, roles_given: dict[int, int]
) -> None:
    """The face lies where nobody was written down, and is like p2."""
    people = replace(written(p1=[[0, 70, 0, 90, 20]], p2=[[5, 0, 0, 20, 20], [6, 0, 0, 20, 20]]), space=space)
    cast, _ = find_cast(["p2"], Options(people=Path("people")), people, InSpace(w20=[0.6]), Finding())  # type: ignore[arg-type]
    assert cast.of_photo(np.zeros((90, 160, 3), np.uint8), [face(0, 0, 20)]) == roles_given
