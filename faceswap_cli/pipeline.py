"""The story of a frame: locate the faces in it, then swap them. Read this file first.

    media/reader -> stages/detect -> track -> align -> parse -> portrait/fitter -> stages/generate
        -> portrait/finisher -> stages/mask -> paste -> media/writer

What the fitter and the finisher do to a face is one list, `portrait/recipe.py`.

A Swapper is built once from the source's photos, or from roles, which say whom each of several is put in for. Frames go
in with their pictures and come out with the patches that change them. Decoding, locating and swapping each run ahead in
a thread; the caller's thread writes.
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace

import numpy as np

from .media.people_file import People
from .options import Options
from .portrait.history import History
from .portrait.open_bundle import OpenBundle, Player
from .portrait.records import FaceState
from .shelf import Shelf
from .stages.align import crop_face
from .stages.bundle import Bundle, find_bundle
from .stages.cast import find_cast, roles_of
from .stages.detect import Watch, detector_key, open_detector
from .stages.likeness import MOST_FACES, Likeness
from .stages.mask import Mask
from .stages.paste import overlaid, paste
from .stages.tally import Tally
from .stages.track import Located, Track
from .stopwatch import Stopwatch
from .stream import prefetch
from .types import Crop, Detections, Face, Frame, Patch, Role, SourcePhoto, Swapped

_AHEAD = 3  # frames that wait between two threads
_AHEAD_BYTES = 96 << 20  # and at most so many bytes of them, whatever their size


class Swapper:
    """Puts one person's face, or one for each role, into any number of frames.

    What is on the `shelf` is not opened again. A `label` is burned into every frame that is swapped.
    """

    label: Patch | None = None

    def __init__(
        self,
        sources: Sequence[SourcePhoto | Frame | Role],
        options: Options,
        bundle: Bundle | None = None,
        people: People | None = None,
        shelf: Shelf | None = None,
    ) -> None:
        self.bundle = bundle = bundle or find_bundle(options)
        self.options = options
        shelf = shelf or Shelf()
        self.detector = shelf.take(detector_key(options), lambda: open_detector(options.face_pack, options))
        self.stopwatch = Stopwatch()
        self.roles = roles_of(sources)
        opened = OpenBundle(bundle, options, shelf)
        names = [role.who for role in self.roles]
        self.cast, notes = find_cast(names, options, people, opened.encoder, self.detector)
        sources_of_roles = [opened.source(role.photos, self.detector) for role in self.roles]
        self.likeness = Likeness(opened.encoder, [source.identity for source in sources_of_roles])
        self.players = [opened.player(source) for source in sources_of_roles]
        self.parser, self.finisher = opened.parser, opened.finisher()
        self.masker: Mask = opened.masker
        self.corrections = opened.recipe.corrections if opened.landmarks else ()
        self._reach = opened.recipe.reach(self.masker.history)
        self.notes = opened.notes + notes
        network = self.players[0].network
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
        roles = self.cast.of_photo(frame.rgb, faces)
        chosen = tuple(replace(faces[number], role=role) for number, role in sorted(roles.items()))
        located = Located(frame, chosen, len(faces))
        tally.add(located)
        swapped = self.swap(located)
        tally.miss(swapped)
        return self._look(located.faces, swapped)

    def swap(self, located: Located, histories: Sequence[History] | None = None) -> Swapped:
        """Swap the faces chosen in a frame, in a clip by the history of each role."""
        crops, put = self._cut(located), list[tuple[Face, Patch | None]]()
        for role, player in enumerate(self.players):
            own = [crop for crop in crops if crop.face.role == role]
            history = None if histories is None else histories[role]
            patches = self._put_in(player, located.frame, own, history)
            put += zip([crop.face for crop in own], patches, strict=True)
        seen = tuple(patch for _, patch in put if patch is not None)
        missed = tuple(face for face, patch in put if patch is None)
        return Swapped(located.frame, seen, located.faces_found, self.label, missed)

    def _put_in(self, player: Player, frame: Frame, crops: list[Crop], history: History | None) -> list[Patch | None]:
        """Return what changes in a frame where one source is put into each of some crops; None where nothing does."""
        faces = self._fit(player, frame, crops, history)
        crops = [face.crop for face in faces] or crops
        with self.stopwatch.stage("generate"):
            images = player.generator.generate(crops, [face.laid for face in faces])
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
            return [overlaid(*each, self.options.opacity) for each in zip(bent, patches, strict=True)]

    def _cut(self, located: Located) -> list[Crop]:
        template, size = self.players[0].generator.template, self.players[0].generator.size
        with self.stopwatch.stage("align"):
            crops = [crop_face(located.frame.rgb, face, template, size) for face in located.faces]
        if self.parser is None:
            return crops
        with self.stopwatch.stage("parse"):
            return self.parser.look(crops)

    def _fit(self, player: Player, frame: Frame, crops: list[Crop], history: History | None) -> list[FaceState]:
        """Return the crops' faces as the generator is to see them; none for one that is shown no portrait."""
        if player.fitter is None:
            return []
        with self.stopwatch.stage("fit"):
            return player.fitter.fit(crops, history, frame.rgb)

    def _locate(self, frames: Generator[Frame, None, None], tally: Tally) -> Iterator[Located]:
        watch = Watch(self.detector)
        track = Track(self.cast.limit, self.cast.wanted, self.cast.recogniser)
        with closing(frames):
            yield from track.follow((frame, self._find(watch.look, frame, tally)) for frame in frames)

    def _find(self, look: Callable[[np.ndarray], Detections], frame: Frame, tally: Tally) -> Detections:
        with self.stopwatch.stage("locate"):
            faces = look(frame.rgb)
        tally.pass_over(frame, faces)
        return faces

    def _swap_all(self, located: Generator[Located, None, None], tally: Tally, first: int) -> Iterator[Swapped]:
        histories = [History() for _ in self.players]
        with closing(located):
            for each in located:
                tally.add(each)
                swapped = self.swap(each, histories) if each.frame.index >= first - self._reach else None
                if swapped is not None and each.frame.index >= first:
                    tally.miss(swapped)
                    yield self._look(each.faces[:MOST_FACES], swapped)

    def _look(self, faces: tuple[Face, ...], swapped: Swapped) -> Swapped:
        with self.stopwatch.stage("likeness"):
            self.likeness.look(swapped, faces)
        return swapped


def _weight(item: Frame | Located | Swapped) -> int:
    """Guess the bytes of a frame: its RGB view, and about half as much for the decoded planes."""
    frame = item if isinstance(item, Frame) else item.frame
    return frame.rgb.nbytes * 3 // 2
