"""Faces that the detector misses: carried with what moves in them, for a second, and only where somebody is."""

from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from faceswap_cli.options import Options
from faceswap_cli.portrait.open_bundle import OpenBundle
from faceswap_cli.stages.align import transform
from faceswap_cli.stages.appearance import look_of
from faceswap_cli.stages.bridge import LONGEST, Bridge, Consent, followed, parsers_consent
from faceswap_cli.stages.bundle import find_bundle
from faceswap_cli.stages.detect import open_detector
from faceswap_cli.stages.track import LONGEST_GAP, Located, Track
from faceswap_cli.types import Face, Frame

from .scenes import blank, portrait, scene

OPTIONS = Options(device="cpu", threads=1)
RATE = 15
BEGINS = 8  # frame from which the detector finds nothing


@pytest.fixture(scope="module")
def people(data: Path) -> list[np.ndarray]:
    photos = sorted((data / "faces" / "congress").glob("*/*.jpg"))
    return [portrait(photos[0], 270), portrait(photos[40], 270)]


@pytest.fixture(scope="module")
def face(people: list[np.ndarray]) -> Face:
    """Return the first one's face, in pixels of their portrait."""
    return open_detector(None, OPTIONS).search(people[0])[0]


@pytest.fixture(scope="module")
def consent() -> Consent:
    parser = OpenBundle(find_bundle(OPTIONS), OPTIONS).parser
    assert parser is not None
    return parsers_consent(parser, "simswap-frontal")


def moved(face: Face, x: float, y: float) -> Face:
    return replace(face, box=face.box + np.array([x, y, x, y], np.float32), points=face.points + np.float32([x, y]))


def run(pictures: Iterable[np.ndarray], sightings: list[list[Face]], consent: Consent | None) -> list[Located]:
    frames = [Frame(rgb, index, index, Fraction(1, RATE)) for index, rgb in enumerate(pictures)]
    return list(Track(None, consent=consent).follow(zip(frames, sightings, strict=True)))


def walk(person: np.ndarray, frames: int) -> list[np.ndarray]:
    return [scene((person, 30 + 6 * t, 40 + t)) for t in range(frames)]


def missed_after(face: Face, frames: int, first: int = 0) -> list[list[Face]]:
    """Return sightings of that walk that end at `BEGINS`."""
    return [[moved(face, 30 + 6 * t, 40 + t)] if first <= t < BEGINS else [] for t in range(frames)]


@pytest.mark.parametrize(("turn", "growth"), [(0.0, 1.0), (8.0, 1.05), (-5.0, 0.94)])
def test_a_face_goes_where_its_picture_goes(people: list[np.ndarray], face: Face, turn: float, growth: float) -> None:
    """Within a thirtieth of the distance of the eyes."""
    one, here = scene((people[0], 200, 50)), moved(face, 200, 50)
    motion = cv2.getRotationMatrix2D(tuple(map(float, here.points.mean(axis=0))), turn, growth)
    motion[:, 2] += (7.3, -4.6)
    there = followed(here, one, cv2.warpAffine(one, motion, one.shape[1::-1], borderMode=cv2.BORDER_REPLICATE))
    assert there is not None
    eyes = float(np.linalg.norm(here.points[0] - here.points[1]))
    assert np.abs(there.points - transform(here.points, motion)).max() < eyes / 30
    middles = [(each.box[:2] + each.box[2:]) / 2 for each in (here, there)]
    assert np.abs(middles[1] - transform(middles[0][None], motion)[0]).max() < eyes / 30
    assert (there.box[2] - there.box[0]) / (here.box[2] - here.box[0]) == pytest.approx(growth, abs=0.01)


def test_a_face_that_is_gone_goes_nowhere(people: list[np.ndarray], face: Face) -> None:
    one, here = scene((people[0], 200, 50)), moved(face, 200, 50)
    assert followed(here, one, scene()) is None
    assert followed(here, scene(), one) is None
    assert followed(here, one, np.random.default_rng(3).integers(0, 256, one.shape, np.uint8)) is None
    assert followed(moved(face, 5000, 0), one, one) is None


def test_a_face_that_is_not_found_for_most_of_a_second_is_swapped(
    people: list[np.ndarray], face: Face, consent: Consent
) -> None:
    gap = 12
    sightings = missed_after(face, 30)
    sightings[BEGINS + gap :] = [[moved(face, 30 + 6 * t, 40 + t)] for t in range(BEGINS + gap, 30)]
    located = run(walk(people[0], 30), sightings, consent)
    assert {each.track for one in located for each in one.faces} == {0}
    for t, each in enumerate(located):
        (found,) = each.faces
        assert np.abs(found.points - moved(face, 30 + 6 * t, 40 + t).points).max() < 2.5
    left = [not each.faces for each in run(walk(people[0], 30), sightings, None)]
    assert sum(left) == gap > LONGEST_GAP


def test_a_face_is_carried_for_a_second_and_no_longer(people: list[np.ndarray], face: Face, consent: Consent) -> None:
    located = run(walk(people[0], 40), missed_after(face, 40), consent)
    assert [len(each.faces) for each in located] == [1] * (BEGINS + round(LONGEST * RATE)) + [0] * (32 - RATE)


@pytest.mark.parametrize("instead", ["back", "other", "nothing"])
def test_nothing_is_drawn_where_nobody_or_somebody_else_is(
    people: list[np.ndarray], face: Face, consent: Consent, instead: str
) -> None:
    shown = {"back": [(blank(270), 78, 48)], "other": [(people[1], 78, 48)], "nothing": []}[instead]
    pictures = walk(people[0], BEGINS) + [scene(*shown) for _ in range(12)]
    located = run(pictures, missed_after(face, len(pictures)), consent)
    assert [len(each.faces) for each in located] == [1] * BEGINS + [0] * 12


def test_without_the_parsers_consent_nothing_is_drawn(people: list[np.ndarray], face: Face) -> None:
    located = run(walk(people[0], 20), missed_after(face, 20), lambda rgb, there: False)
    assert [len(each.faces) for each in located] == [1] * BEGINS + [0] * 12


def test_a_parser_consents_to_a_face_and_to_no_covered_one(
    people: list[np.ndarray], face: Face, consent: Consent
) -> None:
    here = moved(face, 200, 50)
    x0, y0, x1, y1 = np.rint(here.box).astype(int)
    assert consent(scene((people[0], 200, 50)), here)
    assert not consent(scene((people[0], 200, 50), (np.full((y1 - y0, x1 - x0, 3), 200, np.uint8), x0, y0)), here)
    assert not consent(scene((people[0], 200, 50)), moved(here, -160, 0))


def test_what_was_found_in_a_few_frames_alone_is_not_carried(
    people: list[np.ndarray], face: Face, consent: Consent
) -> None:
    located = run(walk(people[0], 20), missed_after(face, 20, first=4), consent)
    assert [len(each.faces) for each in located] == [0] * 4 + [1] * 4 + [0] * 12


def test_nobody_is_carried_over_a_cut_nor_onto_a_face_that_was_found(people: list[np.ndarray], face: Face) -> None:
    still = scene((people[0], 200, 50))
    frames = [Frame(still, index, index, Fraction(1, RATE)) for index in range(7)]

    def carried(shot: int, found: dict[int, Face]) -> dict[int, Face]:
        bridge = Bridge(lambda rgb, there: True)
        for frame, there in [*((each, {3: moved(face, 200, 50)}) for each in frames[:6]), (frames[6], found)]:
            looks = {number: look_of(still, each) for number, each in there.items()}
            last = bridge.carry(frame, shot if frame is frames[6] else 0, there, looks)
        return last

    assert list(carried(0, {})) == [3]
    assert carried(1, {}) == {}
    assert carried(0, {4: moved(face, 220, 50)}) == {}
