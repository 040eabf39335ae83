"""Make pairs that know their answer (`faceswap triplets`): a swap made backwards, as pseudo-targets are in research.

    A, the answer   a real crop
    T, the target   A with a donor's face swapped into it: A's light, pose and expression, another identity
    L, warped       A's own person warped to T, from another photo or from A's mirror image, damaged and lit anew

What a perfect generator makes of (T, L) is A itself, to the pixel. Every `pairs`-th row has no answer: T is a real crop
and L somebody else. All goes through the swap's own stages (`pipeline.py`). A row depends on the seed and its number
alone, so any number of processes make the same rows and a broken run goes on.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache, partial

import cv2
import numpy as np

from ...evaluation.splits import is_held_out
from ...options import Options
from ...portrait.finisher import Finisher
from ...portrait.fitter import Fitter
from ...portrait.landmarks import frontality
from ...portrait.open_bundle import OpenBundle
from ...portrait.records import FaceState
from ...portrait.source import Portraitist
from ...stages.align import crop_face
from ...stages.bundle import find_bundle
from ...stages.generate import NetworkGenerator
from ...stages.parse import Parser
from ...stages.specialise import open_generator
from ...types import Crop, Face, Identity
from ..core.options import TripletOptions
from ..core.workers import spread
from .degrade import degrade
from .pack import read_crop
from .relight import relit, strands
from .triplet_faces import Face as PackFace
from .triplet_faces import Group, grouped
from .triplet_pack import Triplet, TripletPack
from .worn import BEARD, COVERED, GLASSES, with_beard, with_cover, with_glasses, worn_alike

DONORS, DONOR_BLOCK = 24, 256  # so many donors serve so many rows: opening one takes as long as a row
OWN = 0.85  # chance that another photo of the person is taken where there is one
SOFT_TARGETS = 0.3  # chance that an answer is damaged, as the pictures of poor films are
STRANDS = 0.12  # chance of hair across the source's forehead
DAMAGED = 0.5  # chance that the source's photo is damaged
UNSEEN = 0.04  # share of rows made of people held out, for measuring
WILD = 25.0  # levels of Lab's a and b: a target whose colours changed by more in a twentieth of its face is left out
LENDERS_SEEN, BEARDED, AHEAD = 40, 0.95, 0.4  # faces looked at for a beard, how surely they have one, how far ahead
FACE_SIZE = 112  # side of the pictures an identity encoder is shown


def make_triplets(options: TripletOptions, progress: Callable[[int, int], None] | None = None) -> dict[str, int]:
    """Write the pack, going on where an earlier run stopped; return how many rows became what."""
    grouped(options.data)  # what cannot be made is refused here, in one line, and each process finds its tables made
    with TripletPack(options.output) as pack:
        before = sum(number in pack for number in range(options.count))
        missing = (number for number in range(options.count) if number not in pack)
        for done, (number, made) in enumerate(_made(options, missing), 1 + before):
            pack.add(number, made)
            if progress is not None:
                progress(done, options.count)
        return pack.outcomes()


def _made(options: TripletOptions, numbers: Iterable[int]) -> Iterator[tuple[int, Triplet | str]]:
    """Yield what becomes of each number, in order."""
    yield from spread(partial(_maker, options), numbers, options.workers)


def _maker(options: TripletOptions) -> Callable[[int], Triplet | str]:
    return TripletMaker(options).make


@dataclass(frozen=True, slots=True, eq=False)
class _Source:
    """A person ready to be warped."""

    fitter: Fitter
    identity: np.ndarray  # (D,) float32, L2 norm 1: of the photo as it was warped
    face: np.ndarray  # (112, 112, 3) uint8: the undamaged photo as an encoder is shown it
    person: str


class TripletMaker:
    """Makes rows by their number."""

    def __init__(self, options: TripletOptions) -> None:
        self._options = options
        swap = Options(model=options.model, device="cpu", threads=1, shape=0)  # or the answer lay elsewhere
        bundle = find_bundle(swap)
        opened = OpenBundle(bundle, swap)
        assert opened.parser is not None and opened.landmarks is not None, "both are embedded"
        self._parser: Parser = opened.parser
        self._encoder, self._masker, self._finisher = opened.encoder, opened.masker, Finisher(opened.recipe)
        self._landmarks, self._recipe = opened.landmarks, opened.recipe
        self._side, self._contract = options.size, bundle.generator.contract
        self._portraitist = Portraitist(self._landmarks, self._parser, self._side, self._recipe)
        self._space = self._contract.space
        nobody = Identity(np.zeros(128, np.float32), self._space)
        self._network = open_generator(bundle.generator, nobody, swap)
        self._groups = grouped(options.data)
        self._donor = lru_cache(maxsize=2 * DONORS)(self._open_donor)
        self._lenders = lru_cache(maxsize=DONORS)(self._open_lenders)

    def make(self, number: int) -> Triplet | str:
        """Return row `number`, or why there is none."""
        draw = np.random.default_rng([self._options.seed, number])
        group = self._groups[int(draw.random() < UNSEEN and self._groups[1].usable)]
        answer_face = group.draw_answer(draw)
        answer = self._crop(answer_face)
        if draw.random() < SOFT_TARGETS:
            answer = replace(answer, image=degrade(answer.image, draw, strength=0.7))
        donor = self._donor(number // DONOR_BLOCK, int(draw.integers(DONORS)), group is self._groups[1])
        if donor.person == answer_face.row.person:
            return "donor is the person"
        if number % self._options.pairs == 0:
            return self._row(answer, donor, answer_face.row.person)
        target, changed = self._swapped(answer, donor)
        if changed > WILD:
            return "colours went wild"
        source = self._own(answer_face, group, draw)
        shown = self._parser.parse(answer.image)
        target, wanted = worn_alike(target, answer.image, answer.face.points, shown, draw)
        row = self._row(replace(answer, image=target), source, answer_face.row.person)
        faces = np.concatenate([source.face, self._encoder_face(answer.image, answer.face)], axis=1)
        return replace(row, answer=wanted, faces=faces)

    def _row(self, target: Crop, source: _Source, person: str) -> Triplet:
        """Return a target with a source warped to it, whose answer nobody knows."""
        face = self._fitted(target, source)
        return Triplet(
            target=face.crop.image,
            warped=face.warped,
            answer=None,
            mask=np.rint(255 * self._masker.mask([face.crop])[0]).astype(np.uint8),
            identity=source.identity,
            faces=np.concatenate([source.face, self._encoder_face(target.image, target.face)], axis=1),
            person=person,
            held_out=is_held_out(person),
            landmarks=self._landmarks.find(target.image),
        )

    def _swapped(self, crop: Crop, source: _Source) -> tuple[np.ndarray, float]:
        """Return the crop (S, S, 3) uint8 with the source's face, and how far colours changed."""
        face = self._fitted(crop, source)
        generator = NetworkGenerator(self._network, self._contract, Identity(source.identity, self._space))
        large = replace(face.crop, image=_resized(face.crop.image, generator.size))
        face = replace(face, crop=large, warped=_resized(face.warped, generator.size))
        image = self._finisher.finish([face], generator.generate([large], [face.warped]))[0]
        mask = self._masker.mask([replace(large, image=crop.image)])[0]
        whole = crop.image + mask[..., None] * (_resized(image, self._side).astype(np.float32) - crop.image)
        target = np.rint(whole).clip(0, 255).astype(np.uint8)
        return target, _colours_changed(crop.image, target, mask)

    def _fitted(self, crop: Crop, source: _Source) -> FaceState:
        return source.fitter.fit(self._parser.parse_crops([crop]))[0]

    def _own(self, answer: PackFace, group: Group, draw: np.random.Generator) -> _Source:
        """Return the answer's own person from another photo, or from this one mirrored; damaged and lit anew."""
        others = [each for each in group.photos(answer.row.person) if each.number != answer.number]
        if others and draw.random() < OWN:
            crop = self._crop(others[int(draw.integers(len(others)))])
        else:
            crop = _mirrored(self._crop(answer))
        return self._source(replace(crop, image=self._dressed(crop.image, draw)), answer.row.person, draw, crop)

    def _dressed(self, image: np.ndarray, draw: np.random.Generator) -> np.ndarray:
        """Return a source's photo with things on the face that a swap must not show."""
        if draw.random() < BEARD and (lenders := self._lenders(int(draw.integers(DONORS)))):
            image = with_beard(image, self._landmarks.find(image), *lenders[int(draw.integers(len(lenders)))])
        if draw.random() < GLASSES:
            image = with_glasses(image, self._parser.parse(image), draw)
        return with_cover(image, draw) if draw.random() < COVERED else image

    def _open_lenders(self, block: int) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return crops of bearded faces that look ahead, with their landmarks."""
        draw = np.random.default_rng([self._options.seed, 1 << 31, block])
        crops = [self._crop(self._groups[0].draw_any(draw)).image for _ in range(LENDERS_SEEN)]
        seen = [(crop, *self._landmarks.find_with_beard(crop)) for crop in crops]
        return [(crop, points) for crop, points, beard in seen if beard > BEARDED and frontality(points) > AHEAD]

    def _open_donor(self, block: int, number: int, held_out: bool) -> _Source:
        draw = np.random.default_rng([self._options.seed, 1 << 30, block, number])
        face = self._groups[int(held_out)].draw_any(draw)
        crop = self._crop(face)
        return self._source(crop, face.row.person, draw, crop)

    def _source(self, crop: Crop, person: str, draw: np.random.Generator, plain: Crop) -> _Source:
        """Return a crop as a source, damaged and lit anew; `plain` is what an encoder is shown."""
        image = crop.image
        if draw.random() < STRANDS:
            image = strands(image, crop.face.points, draw)
        image = relit(image, draw)
        if draw.random() < DAMAGED:
            image = degrade(image, draw, strength=0.5)
        fitter = Fitter(self._portraitist.take(image, crop.face), self._landmarks, self._recipe)
        identity = self._encoder.embed(image, crop.face)
        return _Source(fitter, identity, self._encoder_face(plain.image, plain.face), person)

    def _crop(self, face: PackFace) -> Crop:
        image = read_crop(face.folder, face.row)
        points = np.asarray(face.row.points, np.float32) * (self._side / image.shape[0])
        whole = np.array([0, 0, self._side, self._side], np.float32)
        return Crop(np.ascontiguousarray(_resized(image, self._side)), np.eye(2, 3), Face(whole, points, 1.0))

    def _encoder_face(self, image: np.ndarray, face: Face) -> np.ndarray:
        return crop_face(image, face, "arcface", FACE_SIZE).image


def _resized(picture: np.ndarray, size: int) -> np.ndarray:
    way = cv2.INTER_AREA if size < picture.shape[0] else cv2.INTER_CUBIC
    return cv2.resize(picture, (size, size), interpolation=way)


def _mirrored(crop: Crop) -> Crop:
    """Return a crop's mirror image, its points named anew."""
    points = crop.face.points[[1, 0, 2, 4, 3]] * [-1, 1] + [crop.image.shape[1] - 1, 0]
    return replace(
        crop,
        image=np.ascontiguousarray(crop.image[:, ::-1]),
        face=replace(crop.face, points=points.astype(np.float32)),
    )


def _colours_changed(before: np.ndarray, after: np.ndarray, mask: np.ndarray) -> float:
    """Return how far a and b of Lab changed, in levels, in the twentieth of the mask where they changed most."""
    first, second = (cv2.cvtColor(each, cv2.COLOR_RGB2LAB)[..., 1:].astype(np.float32) for each in (before, after))
    change = np.abs(second - first).max(axis=2)[mask > 0.5]
    return float(np.quantile(change, 0.95)) if change.size else 0.0
