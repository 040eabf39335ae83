"""Batches of triplets for a painter's training, read ahead from disk by a thread.

Targets are lit and graded anew with their answers, portraits are lit anew and given holes, pictures are mirrored. A
batch depends on the seed, its number and the worker alone: a run that goes on sees what it would have seen.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from ...errors import UsageError
from ...networks.light import LUMA
from ...portrait.landmarks import rough_points
from ...stream import prefetch
from .relight import region, strands, strands_alike
from .shading import draw_shading, shaded, surface_normals
from .triplet_pack import Triplet, TripletReader

AHEAD = 6  # batches read ahead
SHADED = (0.35, 0.5)  # chances that a target and its answer, and a portrait, stand in another light by the head's form
FRINGED = (0.25, 0.2)  # chances that a target and its answer have the same hairs across the forehead, a portrait others
DIMMED = 0.6  # chance that a portrait is lit anew
COLOURED = 0.4  # chance that the light of one side is of another colour
PATCHED = 0.35  # chance that a part of it has a light of its own: a shadow, a lamp, a flush
OTHER_SKIN, SKINS = 0.3, (0.5, 2.0)  # chance that skin is as of another complexion: gammas of its light and shade
HOLED = 0.25  # chance that a part of it is missing
GRADED, GREY = 0.6, 0.15  # chances that a target and its answer are graded anew, and that this leaves no colour


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """What one step sees; S is the training's size. Pictures are in [0, 1]."""

    target: Tensor  # (N, 3, S, S)
    portrait: Tensor  # (N, 4, S, S): the source warped to the target, and how far it may be used
    answer: Tensor  # (N, 3, S, S); the target itself where nobody knows it
    answered: Tensor  # (N,) bool
    mask: Tensor  # (N, 1, S, S): where a swap is pasted
    identity: Tensor  # (N, D) L2 norm 1: what is injected
    wanted: Tensor  # (N, 3, 112, 112): whom to look like, as an encoder is shown faces
    unwanted: Tensor  # (N, 3, 112, 112): whom not to look like; the same person where there is an answer


class TripletData:
    """The rows of some packs."""

    def __init__(self, folders: tuple[Path, ...], size: int, seed: int) -> None:
        self._readers = [TripletReader(folder) for folder in folders]
        self._first = np.cumsum([0, *map(len, self._readers)])
        self._answered = np.concatenate([reader.answered for reader in self._readers])
        held_out = np.concatenate([reader.held_out for reader in self._readers])
        self._training, self._unseen = np.flatnonzero(~held_out), np.flatnonzero(held_out)
        self._size, self._seed = size, seed
        if not len(self._training):
            raise UsageError(f"no triplets to train on in {', '.join(map(str, folders))}")

    def batches(self, count: int, first: int, worker: int = 0) -> Iterator[Batch]:
        """Yield a worker's batches of `count` rows for ever, from number `first` on."""

        def made() -> Iterator[list[Triplet]]:
            number = first
            while True:
                draw = np.random.default_rng([self._seed, number, worker])
                rows = self._training[draw.integers(len(self._training), size=count)]
                yield [self._augmented(self._read(row), draw) for row in rows]
                number += 1

        for triplets in prefetch(made(), AHEAD, 1 << 30, lambda each: 1):
            yield self._batch(triplets)

    def unseen(self, answered: bool, count: int) -> Batch | None:
        """Return up to `count` rows of people held out, or of the training's own; None where there are none at all."""
        for rows in (self._unseen, self._training):
            chosen = rows[self._answered[rows] == answered][:count]
            if len(chosen):
                return self._batch([self._sized(self._read(row)) for row in chosen])
        return None

    def _read(self, row: int) -> Triplet:
        """Return a row by its number among those of all packs."""
        pack = int(np.searchsorted(self._first, row, side="right")) - 1
        return self._readers[pack].read(int(row - self._first[pack]))

    def _sized(self, triplet: Triplet) -> Triplet:
        return _changed(triplet, lambda picture: _resized(picture, self._size))

    def _augmented(self, triplet: Triplet, draw: np.random.Generator) -> Triplet:
        triplet = _fringed(_shaded(self._sized(triplet), draw), draw)
        if draw.random() < GRADED:
            triplet = _graded(triplet, draw)
        if draw.random() < DIMMED:
            triplet = replace(triplet, warped=_dimmed(triplet.warped, draw))
        if draw.random() < HOLED:
            triplet = replace(triplet, warped=_holed(triplet.warped, draw))
        return triplet if draw.random() < 0.5 else _changed(triplet, lambda picture: picture[:, ::-1])

    def _batch(self, triplets: list[Triplet]) -> Batch:
        portrait = torch.cat(
            [_stacked(t.warped[..., :3] for t in triplets), _stacked(t.warped[..., 3] for t in triplets)], 1
        )
        return Batch(
            target=_stacked(t.target for t in triplets),
            portrait=portrait.contiguous(memory_format=torch.channels_last),
            answer=_stacked(t.target if t.answer is None else t.answer for t in triplets),
            answered=torch.tensor([t.answer is not None for t in triplets]),
            mask=_stacked(t.mask for t in triplets),
            identity=torch.from_numpy(np.stack([t.identity for t in triplets])),
            wanted=_stacked(t.faces[:, : t.faces.shape[0]] for t in triplets),
            unwanted=_stacked(t.faces[:, t.faces.shape[0] :] for t in triplets),
        )


def _changed(triplet: Triplet, change: Callable[[np.ndarray], np.ndarray]) -> Triplet:
    """Return a triplet with one change made to each of its four pictures."""
    answer = None if triplet.answer is None else change(triplet.answer)
    target, warped, mask = (change(picture) for picture in (triplet.target, triplet.warped, triplet.mask))
    return replace(triplet, target=target, warped=warped, answer=answer, mask=mask)


def _shaded(triplet: Triplet, draw: np.random.Generator) -> Triplet:
    """Return a triplet whose target with its answer, and whose portrait, stand in lights of their own."""
    of_target, of_portrait = (draw.random() < chance for chance in SHADED)
    if triplet.landmarks is None or not (of_target or of_portrait):
        return triplet
    normals = surface_normals(triplet.landmarks)
    if of_portrait:
        lit = shaded(triplet.warped[..., :3], draw_shading(normals, draw))
        triplet = replace(triplet, warped=np.dstack([lit, triplet.warped[..., 3]]))
    if of_target:
        shading = draw_shading(normals, draw)
        answer = None if triplet.answer is None else shaded(triplet.answer, shading)
        triplet = replace(triplet, target=shaded(triplet.target, shading), answer=answer)
    return triplet


def _fringed(triplet: Triplet, draw: np.random.Generator) -> Triplet:
    """Return a triplet with hairs before its faces: the target's are to stay, the portrait's to go."""
    of_target, of_portrait = (draw.random() < chance for chance in FRINGED)
    if triplet.landmarks is None:
        return triplet
    points = rough_points(triplet.landmarks) * triplet.target.shape[0]
    if of_portrait:
        worn = strands(triplet.warped[..., :3], points, draw)
        triplet = replace(triplet, warped=np.dstack([worn, triplet.warped[..., 3]]))
    if of_target:
        target, answer = strands_alike(triplet.target, triplet.answer, points, draw)
        triplet = replace(triplet, target=target, answer=answer)
    return triplet


def _graded(triplet: Triplet, draw: np.random.Generator) -> Triplet:
    """Return a triplet whose target and answer have other colours, alike: a film's grade, a dim room, no colour."""
    saturation = 0.0 if draw.random() < GREY else draw.uniform(0.2, 1.25)
    gains, gamma = draw.uniform(0.88, 1.12, 3).astype(np.float32), np.float32(draw.uniform(0.7, 1.6))
    gains = gains if saturation > 0 or draw.random() < 0.3 else np.ones(3, np.float32)  # an old print is tinted

    def graded(picture: np.ndarray) -> np.ndarray:
        colours: np.ndarray = (picture.astype(np.float32) / 255) ** gamma
        grey = colours @ np.array(LUMA, np.float32)
        colours = (grey[..., None] + np.float32(saturation) * (colours - grey[..., None])) * gains
        return np.rint(255 * colours.clip(0, 1)).astype(np.uint8)

    answer = None if triplet.answer is None else graded(triplet.answer)
    return replace(triplet, target=graded(triplet.target), answer=answer)


def _dimmed(warped: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """Return a portrait (S, S, 4) uint8 under a slope of light, of another gamma and cast, a part of it lit anew."""
    size = warped.shape[0]
    angle, steep = draw.uniform(0, 2 * np.pi), draw.uniform(1, 5)
    side = np.linspace(-1, 1, size, dtype=np.float32)
    slope: np.ndarray = np.tanh(
        steep * (np.cos(angle) * side[None] + np.sin(angle) * side[:, None] + draw.uniform(-0.3, 0.3))
    )
    gamma = np.exp(draw.uniform(*np.log(SKINS))) if draw.random() < OTHER_SKIN else draw.uniform(0.8, 1.25)
    light: np.ndarray = (warped[..., :3].astype(np.float32) / 255) ** np.float32(gamma)
    strength = draw.uniform(0, 0.3) * (draw.uniform(-0.6, 1.0, 3) if draw.random() < COLOURED else np.ones(3))
    light *= draw.uniform(0.9, 1.1, 3).astype(np.float32) * (1 + slope[..., None] * strength.astype(np.float32))
    if draw.random() < PATCHED:
        gains = draw.uniform(0.5, 1.5) * draw.uniform(0.7, 1.3, 3)
        light *= 1 + region(size, draw)[..., None] * (gains - 1).astype(np.float32)
    return np.dstack([np.rint(255 * light.clip(0, 1)).astype(np.uint8), warped[..., 3]])


def _holed(warped: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """Return a portrait (S, S, 4) uint8 of which some part may not be used, as hair or a turned head leaves it."""
    size = warped.shape[0]
    hole: np.ndarray = np.zeros((size, size), np.float32)
    middle = tuple(int(each) for each in draw.uniform(0.2, 0.8, 2) * size)
    axes = tuple(int(each) for each in draw.uniform(0.05, 0.2, 2) * size)
    cv2.ellipse(hole, middle, axes, draw.uniform(0, 180), 0, 360, 1.0, cv2.FILLED)
    hole = cv2.GaussianBlur(hole, (0, 0), draw.uniform(0.5, 5))
    return np.dstack([warped[..., :3], np.rint(warped[..., 3] * (1 - hole)).astype(np.uint8)])


def _resized(picture: np.ndarray, size: int) -> np.ndarray:
    if picture.shape[0] == size:
        return picture
    return cv2.resize(np.ascontiguousarray(picture), (size, size), interpolation=cv2.INTER_AREA)


def _stacked(pictures: Iterable[np.ndarray]) -> Tensor:
    """Return (N, C, S, S) in [0, 1] of pictures (S, S, C) or (S, S) uint8."""
    array = np.stack([each if each.ndim == 3 else each[..., None] for each in pictures])
    tensor = torch.from_numpy(np.ascontiguousarray(array)).permute(0, 3, 1, 2).float() / 255
    return tensor.contiguous(memory_format=torch.channels_last)
