"""The story of a frame: locate the faces in it, then swap them. Read this file first.

    media/reader -> stages/detect -> track -> align -> parse -> fit -> generate -> grain -> mask -> paste
        -> media/writer

A Swapper is built once from the source's photos; frames go in with their pictures and come out with the patches that
change them. Decoding, locating and swapping each run ahead in a thread; the caller's thread writes.
"""

from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing

import numpy as np

from .options import Options
from .stages.align import crop_face
from .stages.bundle import Bundle, find_bundle
from .stages.detect import Watch, open_detector
from .stages.generate import Generate
from .stages.grain import grained
from .stages.likeness import MOST_FACES, Likeness
from .stages.mask import Mask
from .stages.opening import Opening
from .stages.past import REACH, Past
from .stages.paste import paste
from .stages.tally import Tally
from .stages.track import Located, Track
from .stopwatch import Stopwatch
from .stream import prefetch
from .types import Crop, Face, Frame, Patch, SourcePhoto, Swapped

_AHEAD = 3  # frames that wait between two threads
_AHEAD_BYTES = 96 << 20  # and at most so many bytes of them, whatever their size


class Swapper:
    """Puts one person's face into any number of frames."""

    def __init__(
        self,
        sources: Sequence[SourcePhoto | Frame],
        options: Options,
        bundle: Bundle | None = None,
        label: Patch | None = None,
    ) -> None:
        self.bundle = bundle = bundle or find_bundle(options)
        self.options = options
        self.label = label
        self.detector = open_detector(options.face_pack, options)
        self.stopwatch = Stopwatch()
        opening = Opening(bundle, options)
        self.identity = opening.identity(sources, self.detector)
        self.likeness = Likeness(opening.encoder, self.identity)
        self.generator: Generate
        self.generator, network = opening.generator(self.identity)
        self.parser, self.fit = opening.parser, opening.fit(self.identity)
        self.masker: Mask = opening.masker
        self.notes = opening.notes
        self.networks = {
            "generator": bundle.generator.contract.name,
            "engine": network.engine,
            "device": network.device,
            "precision": network.precision,
        }

    def frames(self, frames: Iterable[Frame], tally: Tally, first: int = 0) -> Generator[Swapped, None, None]:
        """Yield the frames of a clip from number `first` on, in order, with the patches that swap their faces.

        Frames before `first` are located all the same, whom to follow depends on them, and the last ones swapped, the
        next masks depend on those. Closing the iterator stops all threads.
        """
        decoded = prefetch(frames, _AHEAD, _AHEAD_BYTES, _frame_bytes)
        located = prefetch(self._locate(decoded, tally), _AHEAD, _AHEAD_BYTES, lambda each: _frame_bytes(each.frame))
        swapped = prefetch(
            self._swap_all(located, tally, first), _AHEAD, _AHEAD_BYTES, lambda each: _frame_bytes(each.frame)
        )
        with closing(swapped):
            yield from swapped

    def photo(self, frame: Frame, tally: Tally) -> Swapped:
        """Swap the faces of a single picture."""
        with self.stopwatch.stage("locate"):
            faces = self.detector.detect(frame.rgb)
        tally.pass_over(self.detector.too_small, self.detector.unsure)
        located = Located(frame, tuple(faces[: self.options.face_limit]), len(faces))
        tally.add(located)
        return self._look(located.faces, self.swap(located))

    def swap(self, located: Located, past: Past | None = None) -> Swapped:
        """Swap the faces chosen in a frame, in a clip by what is `past` of it."""
        frame = located.frame
        crops, laid = self._lay(self._cut(located), past)
        with self.stopwatch.stage("generate"):
            images = self.generator.generate(crops, laid)
        if laid:
            with self.stopwatch.stage("grain"):
                images = [grained(*each) for each in zip(images, crops, laid, strict=True)]
        with self.stopwatch.stage("mask"):
            masks = self.masker.mask(crops, past)
        with self.stopwatch.stage("paste"):
            patches = [
                paste(frame.rgb.shape, crop, image, mask, self.options.opacity)
                for crop, image, mask in zip(crops, images, masks, strict=True)
            ]
        seen = tuple(patch for patch in patches if patch is not None)
        return Swapped(frame, seen, located.faces_found, self.label)

    def _cut(self, located: Located) -> list[Crop]:
        template, size = self.generator.template, self.generator.size
        with self.stopwatch.stage("align"):
            crops = [crop_face(located.frame.rgb, face, template, size) for face in located.faces]
        if self.parser is None:
            return crops
        with self.stopwatch.stage("parse"):
            return self.parser.look(crops)

    def _lay(self, crops: list[Crop], past: Past | None) -> tuple[list[Crop], list[np.ndarray]]:
        if self.fit is None:
            return crops, []
        with self.stopwatch.stage("fit"):
            laid = self.fit.lay(crops, past)
            return [self.fit.readied(*each) for each in zip(crops, laid, strict=True)], laid

    def _locate(self, frames: Generator[Frame, None, None], tally: Tally) -> Iterator[Located]:
        with closing(frames):
            yield from Track(self.options.face_limit).follow(self._sightings(frames, tally))

    def _sightings(self, frames: Iterable[Frame], tally: Tally) -> Iterator[tuple[Frame, list[Face]]]:
        watch = Watch(self.detector)
        for frame in frames:
            with self.stopwatch.stage("locate"):
                faces = watch.look(frame.rgb)
            tally.pass_over(self.detector.too_small, self.detector.unsure)
            yield frame, faces

    def _swap_all(self, located: Generator[Located, None, None], tally: Tally, first: int) -> Iterator[Swapped]:
        past = Past()
        with closing(located):
            for each in located:
                tally.add(each)
                swapped = self.swap(each, past) if each.frame.index >= first - REACH else None
                if swapped is not None and each.frame.index >= first:
                    yield self._look(each.faces[:MOST_FACES], swapped)

    def _look(self, faces: tuple[Face, ...], swapped: Swapped) -> Swapped:
        with self.stopwatch.stage("likeness"):
            self.likeness.look(swapped, faces)
        return swapped


def _frame_bytes(frame: Frame) -> int:
    """Guess what a frame weighs: its RGB view, and about half as much for the decoded planes."""
    return frame.rgb.nbytes * 3 // 2
