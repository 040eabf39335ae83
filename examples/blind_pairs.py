"""Draw the pairs that graders see: fair ones and hard ones of the reporting people, and clips.

What makes a pair hard is written down in `reasons`: skins of unlike lightness, glasses or a beard on either, a head
turned away, a small source. A fair pair has none of these. Fair pairs are drawn with a fixed seed; of the hard ones
each reason gets its turn, in the order of the list, so that none is drowned by the commonest. Sources are portraits of
CelebA-HQ and US Congress, targets of CelebA-HQ, whose faces are large enough to be looked at.
"""

import csv
import random
from collections import Counter
from dataclasses import dataclass, replace
from itertools import cycle
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from faceswap_cli import Options
from faceswap_cli.engines.select import open_network
from faceswap_cli.errors import UsageError
from faceswap_cli.evaluation.clips import PHOTO_VIEWS, shorter_side
from faceswap_cli.evaluation.splits import photos_by_person
from faceswap_cli.evaluation.turn import turn_seen
from faceswap_cli.media.photo import read_photo
from faceswap_cli.media.sniff import kind_of
from faceswap_cli.portrait.landmarks import LandmarkFinder
from faceswap_cli.stages.align import crop_face
from faceswap_cli.stages.detect import open_detector
from faceswap_cli.stages.parse import GLASSES, SKIN, Parser, class_share
from faceswap_cli.store import models

Kind = Literal["fair", "hard", "clip"]

SETS = {"celebahq": "images", "congress": "."}  # folder of the pictures
TARGETS = "celebahq"
CLIPS = (
    *("vr_1.mp4", "lp_d10.mp4", "intel_asl_brother.mkv", "st_aoc_mpeg4.mp4"),
    *("lp_d20.mp4", "roop_target_1080p.mp4", "vr_4.mp4", "lp_s20.mp4"),
)
THRESHOLD = 0.5  # the swapper's own 0.75 may miss a portrait that the face fills
MOST_USES = 2  # of one person as a source, and as a target, among the fair pairs and among the hard ones
COLUMNS = ("source", "target", "kind", "why")

UNLIKE_SKINS = 20.0  # difference of lightness, L of CIELAB, 0..100
GLASSES_SHARE = 0.01  # of the crop
BEARD_SURE = 0.95  # from which on a swap leaves a beard whole
TURNED_DEGREES = 20.0
SMALL_PX = 85.0  # shorter side of the source's face

_CROP = 256


@dataclass(frozen=True, slots=True)
class Wanted:
    """A swap that graders shall see."""

    source: Path
    target: Path
    kind: Kind
    why: tuple[str, ...] = ()  # what makes it hard
    number: int = 0  # in the list, from 1: results are named by it


@dataclass(frozen=True, slots=True)
class Look:
    """What counts of a portrait."""

    photo: Path
    is_target: bool  # of the set that targets are drawn from
    size: float  # shorter side of the face, pixels
    lightness: float  # median of the skin, 0..100
    glasses: bool
    beard: bool
    yaw: float  # degrees


class Looker:
    """Looks at portraits with the shipped networks."""

    def __init__(self, threads: int | None) -> None:
        options = Options(det_threshold=THRESHOLD, threads=threads)
        self._detector = open_detector(None, options)
        self._parser = Parser(open_network(models.locate("parser"), "cpu", threads), models.entry("parser"))
        self._points = LandmarkFinder(open_network(models.locate("points"), "cpu", threads), models.entry("points"))

    def describe(self, photo: Path, is_target: bool) -> Look | None:
        """Return what counts, None where no face is found."""
        rgb = read_photo(photo).frame.rgb
        faces = self._detector.detect(rgb, PHOTO_VIEWS)
        if not faces:
            return None
        crop = crop_face(rgb, faces[0], self._points.template, _CROP).image
        shares = self._parser.parse(crop)
        return Look(
            photo,
            is_target,
            shorter_side(faces[0]),
            skin_lightness(crop, shares),
            float(class_share(shares, (GLASSES,)).mean()) > GLASSES_SHARE,
            self._points.find_with_beard(crop)[1] > BEARD_SURE,
            float(turn_seen(rgb, faces[0], self._points)[0]),
        )


def skin_lightness(crop: np.ndarray, shares: np.ndarray) -> float:
    """Return the median lightness, 0..100, of what a parser (19, P, P) takes for skin in a crop (S, S, 3)."""
    side = shares.shape[1]
    small = cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA)
    lightness = cv2.cvtColor(small.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[..., 0]
    skin = lightness[class_share(shares, SKIN) > 0.5]
    return float(np.median(skin)) if skin.size else float("nan")


def reasons(source: Look, target: Look) -> tuple[str, ...]:
    """Return what makes a pair hard; nothing for a fair one."""
    found = {
        "unlike skins": abs(source.lightness - target.lightness) >= UNLIKE_SKINS,
        "glasses": source.glasses or target.glasses,
        "beard": source.beard or target.beard,
        "turned": max(abs(source.yaw), abs(target.yaw)) >= TURNED_DEGREES,
        "small source": source.size < SMALL_PX,
    }
    return tuple(name for name, holds in found.items() if holds)


def draw_photos(looks: list[Look], count: int, seed: int) -> list[Wanted]:
    """Draw so many pairs, half of them fair (the smaller half where it is odd); UsageError where there are too few."""
    pairs = [
        Wanted(source.photo, target.photo, "hard" if why else "fair", why)
        for source in looks
        for target in looks
        if target.is_target and target is not source
        for why in [reasons(source, target)]
    ]
    random.Random(seed).shuffle(pairs)
    fair = _take(pairs, count // 2, {"": [pair for pair in pairs if pair.kind == "fair"]})
    causes = dict.fromkeys(why for pair in pairs for why in sorted(pair.why))
    hard = _take(
        pairs, count - count // 2, {why: [pair for pair in pairs if why in pair.why] for why in sorted(causes)}
    )
    return fair + hard


def draw_clips(looks: list[Look], clips: list[Path], seed: int) -> list[Wanted]:
    """Give each clip a source: one of either set in turn."""
    order = list(looks)
    random.Random(seed).shuffle(order)
    kinds = cycle([[look for look in order if look.is_target is kind] for kind in (True, False)])
    sources = [next(kinds)[number // 2].photo for number in range(len(clips))]
    return [Wanted(source, clip, "clip") for source, clip in zip(sources, clips, strict=True)]


def draw_pairs(data: Path, photos: int, clips: int, threads: int | None = None, seed: int = 0) -> list[Wanted]:
    """Draw pairs of photos and of clips from the folder of real data."""
    if not 0 <= clips <= len(CLIPS):
        raise UsageError(f"{clips} clips: give 0 to {len(CLIPS)}, or --pairs with clips of yours")
    looker = Looker(threads)
    looks = []
    for name, pictures in SETS.items():
        people = photos_by_person(data / "faces" / name, pictures, ("reporting",))
        looks += [looker.describe(people[person][0], name == TARGETS) for person in sorted(people)]
    seen = [look for look in looks if look is not None]
    drawn = draw_photos(seen, photos, seed)
    return numbered(drawn + draw_clips(seen, [data / "clips" / name for name in CLIPS[:clips]], seed))


def read_list(table: Path) -> list[Wanted]:
    """Read a CSV of source and target, and, if wanted, kind (fair or hard) and why; paths are relative to it."""
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{table} cannot be read as a table: {error}") from error
    if not rows or not set(COLUMNS[:2]) <= set(rows[0]):
        raise UsageError(f"{table.name} needs the columns source and target, and at least one row")
    return numbered([_listed(row, table, line) for line, row in enumerate(rows, 2)])


def numbered(wanted: list[Wanted]) -> list[Wanted]:
    """Number pairs as they are listed."""
    return [replace(each, number=number) for number, each in enumerate(wanted, 1)]


def write_list(wanted: list[Wanted], table: Path) -> None:
    """Write pairs as `read_list` reads them, so that others can make or be judged by the same."""
    with table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for each in wanted:
            writer.writerow((each.source.absolute(), each.target.absolute(), each.kind, "; ".join(each.why)))


def _take(pairs: list[Wanted], count: int, piles: dict[str, list[Wanted]]) -> list[Wanted]:
    """Take pairs from the piles in turn, nobody more often than MOST_USES on either side."""
    taken: list[Wanted] = []
    uses = Counter[tuple[str, Path]]()
    while len(taken) < count:
        before = len(taken)
        for pile in piles.values():
            fitting = (each for each in pile if each not in taken and _free(each, uses))
            pair = next(fitting, None)
            if pair is not None and len(taken) < count:
                taken.append(pair)
                uses.update([("source", pair.source), ("target", pair.target)])
        if len(taken) == before:
            raise UsageError(f"only {before} of {count} pairs could be drawn of {len(pairs)}: ask for fewer")
    return taken


def _free(pair: Wanted, uses: Counter[tuple[str, Path]]) -> bool:
    return uses["source", pair.source] < MOST_USES and uses["target", pair.target] < MOST_USES


def _listed(row: dict[str, str], table: Path, line: int) -> Wanted:
    source, target = (table.parent / (row[name] or "") for name in COLUMNS[:2])
    for path in (source, target):
        if not path.is_file():
            raise UsageError(f"{table.name} line {line}: no such file: {path}")
    kind = (row.get("kind") or "").strip() or "fair"
    if kind_of(target) != "photo":
        kind = "clip"
    if kind not in ("fair", "hard", "clip"):
        raise UsageError(f"{table.name} line {line}: kind is {kind!r}: give fair or hard")
    return Wanted(source, target, kind, tuple(why for why in (row.get("why") or "").split("; ") if why))
