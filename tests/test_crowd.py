"""People told apart, written down and swapped by name, from pictures to report: the made clip of `crowd.py`."""

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest

from faceswap_cli import find_people, save_identity, swap_image, swap_video
from faceswap_cli.app.source_photos import cast_of
from faceswap_cli.app.swap import recipe_of
from faceswap_cli.cli.swapping import show_result, summary
from faceswap_cli.cli.terminal import Terminal
from faceswap_cli.errors import LeftError, UsageError
from faceswap_cli.evaluation.people_folder import SHEET
from faceswap_cli.media.people_file import FILE, People, read_people
from faceswap_cli.options import Options
from faceswap_cli.portrait.open_bundle import OpenBundle
from faceswap_cli.stages.attendance import COVERED as COVERED_UP
from faceswap_cli.stages.bridge import parsers_consent
from faceswap_cli.stages.bundle import find_bundle
from faceswap_cli.stages.cast import find_cast
from faceswap_cli.stages.detect import Detect, open_detector
from faceswap_cli.stages.track import Located, Track
from faceswap_cli.stages.watch import Watch
from faceswap_cli.types import Face, Frame

from .conftest import write_clip
from .crowd import (
    FAST,
    RATE,
    TURNING,
    USUAL,
    Script,
    There,
    crowd,
    lies_on,
    people,
    right_share,
    switches,
    wrong_faces,
)

pytestmark = pytest.mark.usefixtures("kept_looks")
OPTIONS = Options(device="cpu", threads=1)
NAMES, CUT, COVERED = sorted(USUAL.ways), USUAL.cut, USUAL.board[:2]


@cache
def opened() -> OpenBundle:
    """The shipped networks, opened once."""
    return OpenBundle(find_bundle(OPTIONS), OPTIONS)


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """The clip, who is in it, and what the detector finds."""

    folder: Path
    clip: Path
    truth: list[list[There]]
    sightings: list[tuple[Frame, list[Face]]]
    detector: Detect
    photos: dict[str, list[Path]]
    people: People

    def by_truth(self) -> list[str]:
        """Return who p1, p2 ... are by the truth."""
        return [self._name(person.sightings[0].path[0]) for person in self.people.persons]

    def _name(self, place: np.ndarray) -> str:
        face = Face(place[1:], np.zeros((5, 2), np.float32), 1.0)
        return lies_on(face, self.truth[round(place[0] * RATE)])[0]

    def followed(self, names: list[str], with_people: bool = True) -> list[Located]:
        """Follow the people that are named, each in a role of its own."""
        people = self.people if with_people else None
        cast, _ = find_cast(names, OPTIONS, people, opened().encoder, self.detector)
        return list(Track(1, cast.wanted, cast.recogniser).follow(self.sightings))


@pytest.fixture(scope="module")
def scene(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("crowd")
    pictures, truth = crowd(data)
    clip = write_clip(folder / "crowd.mp4", pictures, RATE)
    detector = open_detector(None, OPTIONS)
    watch = Watch(detector)
    frames = [Frame(rgb, index, index, Fraction(1, RATE)) for index, rgb in enumerate(pictures)]
    sightings = [(frame, watch.find(frame.rgb)) for frame in frames]
    found = find_people(clip, folder / "people", OPTIONS)
    yield Scene(folder, clip, truth, sightings, detector, people(data), found)


def test_who_leaves_or_is_cut_away_from_is_the_same_person_again(scene: Scene) -> None:
    """Anna and Ben are seen in both shots, Ben leaves the second one for half a second, Cleo comes late."""
    assert scene.by_truth() == list(NAMES)
    for person, name in zip(scene.people.persons, NAMES, strict=True):
        assert {scene._name(place) for sighting in person.sightings for place in sighting.path[:1]} == {name}
    anna, ben, cleo = ([sighting.path[[0, -1], 0] for sighting in person.sightings] for person in scene.people.persons)
    assert [len(anna), len(ben), len(cleo)] == [2, 2, 1]
    assert anna[0].tolist() == [0, 2.16]


def test_a_folder_of_people_shows_each_at_their_best(scene: Scene) -> None:
    folder = scene.folder / "people"
    assert {path.name for path in folder.iterdir()} == {FILE, SHEET, "p1.jpg", "p2.jpg", "p3.jpg"}
    assert all(min(cv2.imread(str(folder / f"p{number}.jpg")).shape[:2]) > 80 for number in (1, 2, 3))
    read = read_people(folder, scene.clip)
    for one, other in zip(read.persons, scene.people.persons, strict=True):
        assert float(one.embedding @ other.embedding) > 0.9999
        assert one.sightings[0].pose == other.sightings[0].pose is not None
    record = json.loads((folder / FILE).read_text())
    assert record["people"][0]["seconds"][0] == [0, 2.16]


def test_no_track_goes_over_to_somebody_else(scene: Scene) -> None:
    located = list(Track(None).follow(scene.sightings))
    assert switches(located, scene.truth) == 0


@pytest.mark.parametrize("named_by", ["name", "photo"])
def test_everybody_in_sight_has_the_face_meant_for_them_in_every_frame(scene: Scene, named_by: str) -> None:
    """By names of the folder, and by other photos of the three, taken years apart."""
    photos = [f"like:{scene.photos[name][1]}" for name in NAMES]
    located = scene.followed(["p1", "p2", "p3"] if named_by == "name" else photos, named_by == "name")
    assert right_share(located, scene.truth, list(NAMES)) >= 0.99
    assert wrong_faces(located, scene.truth, list(NAMES)) == 0


@pytest.mark.parametrize("lost", [8, 15])
def test_who_is_not_found_for_a_while_has_their_face_all_the_same(scene: Scene, lost: int) -> None:
    """In the last frames of every 40 nobody is found; 21 and 46 of 173 faces were left, before."""
    sightings = [(frame, [] if frame.index % 40 >= 40 - lost else faces) for frame, faces in scene.sightings]
    parser = opened().parser
    assert parser is not None
    cast, _ = find_cast(["p1", "p2", "p3"], OPTIONS, scene.people, opened().encoder, scene.detector)
    consent = parsers_consent(parser, "simswap-frontal")
    located = list(Track(1, cast.wanted, cast.recogniser, consent).follow(sightings))
    assert right_share(located, scene.truth, list(NAMES)) >= 0.99
    assert wrong_faces(located, scene.truth, list(NAMES)) == 0
    covered = {each.frame.index for each in located if not any(face.role == 1 for face in each.faces)}
    assert set(range(*COVERED)) <= covered, "a board stands before Ben"


@pytest.mark.parametrize("script", [FAST, TURNING], ids=["fast", "turning"])
def test_nobody_is_taken_for_another_when_two_pairs_cross_at_once_or_people_turn_over(
    script: Script, data: Path
) -> None:
    """Two flashes, and a dissolve in place, after which one kept another's face; two change places behind a board."""
    pictures, truth = crowd(data, script)
    names, detector = sorted(script.ways), open_detector(None, OPTIONS)
    watch = Watch(detector)
    frames = [Frame(rgb, index, index, Fraction(1, RATE)) for index, rgb in enumerate(pictures)]
    photos = [f"like:{shown[1]}" for shown in people(data, script).values()]
    cast, _ = find_cast(photos, OPTIONS, None, opened().encoder, detector)
    sightings = [(frame, watch.find(frame.rgb)) for frame in frames]
    located = list(Track(1, cast.wanted, cast.recogniser).follow(sightings))
    assert right_share(located, truth, names) >= 0.99
    assert wrong_faces(located, truth, names) == 0
    assert switches(located, truth) == 0


def test_only_who_is_named_is_swapped_and_everybody_but_who_is_spared(scene: Scene) -> None:
    ben = scene.followed(["p2"])
    assert wrong_faces(ben, scene.truth, ["ben"]) == 0
    assert right_share(ben, scene.truth, ["ben"]) >= 0.99
    assert {face.role for each in ben for face in each.faces} == {0}


@pytest.fixture(scope="module")
def swapped(scene: Scene, tinting_generator: Path, whole_pack: Path) -> Options:
    """Options of a quick swap of the first ten frames, in which Anna and Ben are seen; another encoder than ours."""
    quick = replace(OPTIONS, model=str(tinting_generator), face_pack=whole_pack, preset="ultrafast", end=Fraction(2, 5))
    return replace(quick, people=scene.folder / "people")


def test_several_sources_are_put_in_for_several_people_in_one_run(
    scene: Scene, swapped: Options, portrait: Path, tmp_path: Path
) -> None:
    cast = {"p2": [portrait], "p1": scene.photos["cleo"]}
    both = swap_video(cast, scene.clip, tmp_path / "both.mp4", swapped)
    assert (both.frames, both.faces_swapped) == (10, 20)
    assert both.report["map"] == {"p2": [str(portrait)], "p1": [str(path) for path in scene.photos["cleo"]]}
    one = swap_video({"p2": portrait}, scene.clip, tmp_path / "one.mp4", swapped)
    named = swap_video(portrait, scene.clip, tmp_path / "named.mp4", replace(swapped, who="p2"))
    assert (one.faces_swapped, named.faces_swapped) == (10, 10)


def test_who_was_in_sight_and_not_swapped_is_told_with_times_and_reason(
    scene: Scene, swapped: Options, portrait: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Anna passes before Ben in frames 12 to 17, a board stands before him in 37 to 48."""
    options = replace(swapped, who="p2", end=Fraction(CUT, RATE))
    result = swap_video(portrait, scene.clip, tmp_path / "out.mp4", options)
    (ben,) = result.report["people"]
    assert (ben["who"], ben["faces_swapped"]) == ("p2", result.faces_swapped)
    frames = {round(each.first * RATE): each for each in result.left}
    assert sum(each.frames for each in result.left) + result.faces_swapped == CUT
    assert frames[COVERED[0]].frames == COVERED[1] - COVERED[0]
    assert {each.why for each in result.left} == {COVERED_UP}
    assert re.search(r"in sight and not swapped: p2 \d\.\d\d-\d\.\d\d s \(covered or not found\)", summary(result))
    show_result(Terminal(), result, as_json=False)
    with pytest.raises(LeftError, match=r"p2 1\.48-1\.92 s \(covered or not found\); the result is written") as refused:
        show_result(Terminal(), result, as_json=False, strict=True)
    assert refused.value.exit_code == 7
    assert capsys.readouterr().out.split() == [str(tmp_path / "out.mp4")] * 2


@pytest.mark.parametrize(
    ("cast", "told"),
    [
        ({"p9": "portrait"}, "nobody is called 'p9'"),
        ({"p1": "portrait", "like:portrait": []}, "at least one photo"),
        ({}, "at least one photo"),
        ({"left": "portrait", "1": "portrait", "Bottom left": "portrait"}, "nobody is called 'Bottom left'"),
    ],
)
def test_a_map_that_cannot_be_is_refused_and_nothing_written(
    scene: Scene, swapped: Options, portrait: Path, tmp_path: Path, cast: dict[str, object], told: str
) -> None:
    photos = {who: portrait if photo else [] for who, photo in cast.items()}
    with pytest.raises(UsageError, match=told):
        swap_video(photos, scene.clip, tmp_path / "out.mp4", swapped)
    assert list(tmp_path.iterdir()) == []


def test_people_of_another_clip_are_refused(
    scene: Scene, swapped: Options, portrait: Path, short_clip: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="people of another input"):
        swap_video({"p1": portrait}, short_clip, tmp_path / "out.mp4", swapped)
    assert list(tmp_path.iterdir()) == []


def test_another_cast_or_another_list_of_people_is_another_run(
    scene: Scene, swapped: Options, portrait: Path, tmp_path: Path
) -> None:
    bundle, photo = find_bundle(swapped), scene.photos["anna"][0]
    shutil.copy(scene.folder / "people" / FILE, tmp_path)
    options = replace(swapped, people=tmp_path)
    casts = [{"p1": portrait, "p2": photo}, {"p2": portrait, "p1": photo}, {"p1": [portrait, photo]}]
    digests = [recipe_of(cast_of(cast), bundle, options) for cast in [*casts, casts[0]]]
    assert digests[0] == digests[3]
    assert len(set(digests)) == 3
    (tmp_path / FILE).write_text((tmp_path / FILE).read_text().replace('"p3"', '"cleo"'))
    assert recipe_of(cast_of(casts[0]), bundle, options) != digests[0]


def test_a_saved_identity_swaps_as_its_photo_does(swapped: Options, portrait: Path, data: Path, tmp_path: Path) -> None:
    """Of the same encoder: the very pixels."""
    options, target = replace(swapped, people=None, end=None), data / "photos" / "face_recognition" / "biden.jpg"
    save_identity(portrait, tmp_path / "obama.face", options)
    swap_image(portrait, target, tmp_path / "photo.png", options)
    swap_image(tmp_path / "obama.face", target, tmp_path / "face.png", options)
    assert (tmp_path / "photo.png").read_bytes() == (tmp_path / "face.png").read_bytes()
    with pytest.raises(UsageError, match=r"let it end in \.face"):
        save_identity(portrait, tmp_path / "obama.npz", options)
