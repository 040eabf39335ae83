"""The story of a frame: locate the faces in it, then swap them. Read this file first.

    media/reader -> stages/detect -> track -> align -> parse -> portrait/fitter -> stages/generate
        -> portrait/finisher -> stages/mask -> paste -> media/writer

What the fitter and the finisher do to a face is one list, `portrait/recipe.py`.

A Swapper is built once from the source's photos; frames go in with their pictures and come out with the patches that
change them. Decoding, locating and swapping each run ahead in a thread; the caller's thread writes.
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing

import numpy as np

from .options import Options
from .portrait.history import History
from .portrait.open_bundle import OpenBundle
from .portrait.records import FaceState
from .stages.align import crop_face
from .stages.bundle import Bundle, find_bundle
from .stages.detect import Watch, open_detector
from .stages.generate import Generate
from .stages.likeness import MOST_FACES, Likeness
from .stages.mask import Mask
from .stages.paste import overlaid, paste
from .stages.tally import Tally
from .stages.track import Located, Track
from .stages.who import chosen
from .stopwatch import Stopwatch
from .stream import prefetch
from .types import Crop, Detections, Face, Frame, Patch, SourcePhoto, Swapped

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
        opened = OpenBundle(bundle, options)
        source = opened.source(sources, self.detector)
        self.identity = source.identity
        self.meant = opened.meant(self.detector)
        self.likeness = Likeness(opened.encoder, source.identity)
        self.generator: Generate
        self.generator, network = opened.generator(source.identity)
        self.parser, self.fitter, self.finisher = opened.parser, opened.fitter(source), opened.finisher()
        self.masker: Mask = opened.masker
        self.corrections = opened.recipe.corrections if self.fitter else ()
        self._reach = opened.recipe.reach(self.masker.history)
        self.notes = opened.notes
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
        decoded = prefetch(frames, _AHEAD, _AHEAD_BYTES, _weight)
        located = prefetch(self._locate(decoded, tally), _AHEAD, _AHEAD_BYTES, _weight)
        swapped = prefetch(self._swap_all(located, tally, first), _AHEAD, _AHEAD_BYTES, _weight)
        with closing(swapped):
            yield from swapped

    def photo(self, frame: Frame, tally: Tally) -> Swapped:
        """Swap the faces of a single picture."""
        faces = self._find(self.detector.search, frame, tally)
        located = Located(frame, chosen(frame.rgb, list(faces), self.options, self.meant), len(faces))
        tally.add(located)
        return self._look(located.faces, self.swap(located))

    def swap(self, located: Located, history: History | None = None) -> Swapped:
        """Swap the faces chosen in a frame, in a clip by its history."""
        frame, crops = located.frame, self._cut(located)
        faces = self._fit(frame, crops, history)
        crops = [face.crop for face in faces] or crops
        with self.stopwatch.stage("generate"):
            images = self.generator.generate(crops, [face.laid for face in faces])
        if faces:
            with self.stopwatch.stage("finish"):
                images = self.finisher.finish(faces, images, history)
        with self.stopwatch.stage("mask"):
            masks = self.masker.mask(crops, history)
        with self.stopwatch.stage("paste"):
            patches = [
                paste(frame.rgb.shape, crop, image, mask)
                for crop, image, mask in zip(crops, images, masks, strict=True)
            ]
            bent = [face.bent for face in faces] or [None] * len(crops)
            patches = [overlaid(*each, self.options.opacity) for each in zip(bent, patches, strict=True)]
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

    def _fit(self, frame: Frame, crops: list[Crop], history: History | None) -> list[FaceState]:
        """Return the crops' faces as the generator is to see them; none for one that is shown no portrait."""
        if self.fitter is None:
            return []
        with self.stopwatch.stage("fit"):
            return self.fitter.fit(crops, history, frame.rgb)

    def _locate(self, frames: Generator[Frame, None, None], tally: Tally) -> Iterator[Located]:
        watch = Watch(self.detector)
        track = Track(self.options.face_limit, self.options.place, self.meant)
        with closing(frames):
            yield from track.follow((frame, self._find(watch.look, frame, tally)) for frame in frames)

    def _find(self, look: Callable[[np.ndarray], Detections], frame: Frame, tally: Tally) -> Detections:
        with self.stopwatch.stage("locate"):
            faces = look(frame.rgb)
        tally.pass_over(faces)
        return faces

    def _swap_all(self, located: Generator[Located, None, None], tally: Tally, first: int) -> Iterator[Swapped]:
        history = History()
        with closing(located):
            for each in located:
                tally.add(each)
                swapped = self.swap(each, history) if each.frame.index >= first - self._reach else None
                if swapped is not None and each.frame.index >= first:
                    yield self._look(each.faces[:MOST_FACES], swapped)

    def _look(self, faces: tuple[Face, ...], swapped: Swapped) -> Swapped:
        with self.stopwatch.stage("likeness"):
            self.likeness.look(swapped, faces)
        return swapped


def _weight(item: Frame | Located | Swapped) -> int:
    """Guess the bytes of a frame: its RGB view, and about half as much for the decoded planes."""
    frame = item if isinstance(item, Frame) else item.frame
    return frame.rgb.nbytes * 3 // 2
