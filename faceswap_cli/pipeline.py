"""The story of a frame: locate the faces in it, then swap them. Read this file first.

    media/reader -> stages/detect -> track -> align -> parse -> portrait/fitter -> stages/generate
        -> portrait/finisher -> stages/mask -> paste -> media/writer

What the fitter and the finisher do to a face is one list, `portrait/recipe.py`.

A Swapper is built once from the source's photos, or from roles, which say whom each of several is put in for. Frames go
in with their pictures and come out with the patches that change them. Decoding, locating, fitting (up to what the
generator sees) and finishing each run ahead in a thread; the caller's thread writes.
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace

import numpy as np

from .media.people_file import People
from .options import Options
from .portrait.equipment import equip
from .portrait.history import History
from .portrait.open_bundle import RoleStages
from .portrait.records import FaceState, FittedFrame, FittedRole
from .shelf import Shelf
from .stages.ahead import ahead
from .stages.align import crop_face
from .stages.bundle import Bundle, find_bundle
from .stages.hands import told_hands
from .stages.likeness import MOST_FACES
from .stages.locator import Locator
from .stages.paste import overlaid
from .stages.presence import parted
from .stages.tally import Tally
from .stages.track import Located
from .stopwatch import Stopwatch
from .types import EMPTY, NO_FACE, TURNED, Crop, Detections, Face, Frame, PassedOver, Patch, Role, SourcePhoto, Swapped


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
        self.options, self.stopwatch = options, Stopwatch()
        self.equipment = equip(sources, options, bundle or find_bundle(options), people, shelf)

    def frames(self, frames: Iterable[Frame], tally: Tally, first: int = 0) -> Generator[Swapped, None, None]:
        """Yield the frames of a clip from number `first` on, in order, with the patches that swap their faces.

        Frames before `first` are located all the same, whom to follow depends on them, and the last ones swapped, the
        next masks depend on those. Closing the iterator stops all threads.
        """
        return self.swapped(self.located(frames, tally), tally, first)

    def located(
        self, frames: Iterable[Frame], tally: Tally, locator: Locator | None = None
    ) -> Generator[Located, None, None]:
        """Yield the frames of a clip, in order, with their faces and whom of them to swap.

        A `locator` that knows frames already goes on behind them.
        """
        at = locator or self.equipment.locator()
        with closing(ahead(frames)) as decoded:
            yield from at.track.follow((frame, self._find(at.watch.find, frame, tally)) for frame in decoded)

    def swapped(self, located: Iterable[Located], tally: Tally, first: int = 0) -> Generator[Swapped, None, None]:
        """Yield located frames from number `first` on, with the patches that swap their faces; see `frames`."""
        histories = [History() for _ in self.equipment.of_roles]
        fitted = ahead(self._fit_all(ahead(located), histories, first), lambda frame: frame.nbytes)
        return ahead(self._finish_all(fitted, histories, tally, first))

    def photo(self, frame: Frame, tally: Tally) -> Swapped:
        """Swap the faces of a single picture."""
        faces = self._find(self.equipment.detector.search, frame, tally)
        roles = self.equipment.cast.of_photo(frame.rgb, faces)
        chosen = tuple(replace(faces[number], role=role) for number, role in sorted(roles.items()))
        located = Located(frame, chosen, len(faces))
        tally.add(located)
        swapped = self.swap(located)
        tally.miss(swapped)
        return self._compare(located.faces, swapped)

    def swap(self, located: Located, histories: Sequence[History] | None = None) -> Swapped:
        """Swap the faces chosen in a frame, in a clip by the history of each role."""
        of_roles: Sequence[History | None] = histories or [None] * len(self.equipment.of_roles)
        return self._finish(self._fit(located, of_roles), of_roles)

    def _fit(self, located: Located, histories: Sequence[History | None]) -> FittedFrame:
        """Cut a frame's faces out and fit each role's portrait to its own."""
        crops, fitted = self._cut(located), list[FittedRole]()
        for role, (stages, history) in enumerate(zip(self.equipment.of_roles, histories, strict=True)):
            own, others = parted([crop for crop in crops if crop.face.role == role], history)
            own = told_hands(own, history)
            faces = self._shown(stages, located.frame, own, history)
            fitted.append(FittedRole([face.crop for face in faces] or own, faces, others))
        return FittedFrame(located, tuple(fitted))

    def _finish(self, fitted: FittedFrame, histories: Sequence[History | None]) -> Swapped:
        """Generate, finish and mask what was fitted, and say what of it changes the frame."""
        located, put = fitted.located, list[tuple[Face, Patch | str]]()
        for stages, role, history in zip(self.equipment.of_roles, fitted.roles, histories, strict=False):
            patches = self._put_in(stages, located.frame, role, history)
            put += zip([crop.face for crop in role.crops], patches, strict=True)
            put += [(crop.face, NO_FACE) for crop in role.others]
        seen = tuple(patch for _, patch in put if not isinstance(patch, str))
        missed = tuple(PassedOver(face, why) for face, why in put if isinstance(why, str))
        return Swapped(located.frame, seen, located.faces_found, self.label, missed)

    def _put_in(self, stages: RoleStages, frame: Frame, role: FittedRole, history: History | None) -> list[Patch | str]:
        """Return what changes in a frame where one source is put into each of some crops, or why nothing does."""
        crops, faces = role.crops, role.faces
        with self.stopwatch.stage("generate"):
            images = stages.generator.generate(crops, [face.warped for face in faces])
        if faces:
            with self.stopwatch.stage("finish"):
                images = self.equipment.finisher.finish(faces, images, history)
        with self.stopwatch.stage("mask"):
            masks = self.equipment.masker.mask(crops, history)
        with self.stopwatch.stage("paste"):
            patches = [self.equipment.paste(frame.rgb.shape, *each) for each in zip(crops, images, masks, strict=True)]
            reshaped = [(face.reshaped, face.opacity) for face in faces] or [(None, 1.0)] * len(crops)
            return [self._overlaid(*each, patch) for each, patch in zip(reshaped, patches, strict=True)]

    def _overlaid(self, reshaped: Patch | None, opacity: float, patch: Patch | None) -> Patch | str:
        """Lay a swap over the head that was reshaped for it, as far as it is seen; or say why it is not."""
        if opacity == 0:
            return TURNED
        return overlaid(reshaped, patch, self.options.opacity * opacity) or EMPTY

    def _cut(self, located: Located) -> list[Crop]:
        """Cut the chosen faces out of a frame, to the generator's template, and have them parsed where a parser is."""
        generator, parser = self.equipment.of_roles[0].generator, self.equipment.parser
        with self.stopwatch.stage("align"):
            crops = [crop_face(located.frame.rgb, face, generator.template, generator.size) for face in located.faces]
        if parser is None:
            return crops
        with self.stopwatch.stage("parse"):
            return parser.parse_crops(crops)

    def _shown(self, stages: RoleStages, frame: Frame, crops: list[Crop], history: History | None) -> list[FaceState]:
        """Return the crops' faces as the generator is to see them; none for one that is shown no portrait."""
        if stages.fitter is None:
            return []
        with self.stopwatch.stage("fit"):
            return stages.fitter.fit(crops, history, frame.rgb)

    def _find(self, find: Callable[[np.ndarray], Detections], frame: Frame, tally: Tally) -> Detections:
        with self.stopwatch.stage("locate"):
            faces = find(frame.rgb)
        tally.pass_over(frame, faces)
        return faces

    def _fit_all(
        self, located: Generator[Located, None, None], histories: Sequence[History], first: int
    ) -> Iterator[FittedFrame]:
        with closing(located):
            for each in located:
                is_needed = each.frame.index >= first - self.equipment.reach
                yield self._fit(each, histories) if is_needed else FittedFrame(each)

    def _finish_all(
        self, fitted: Generator[FittedFrame, None, None], histories: Sequence[History], tally: Tally, first: int
    ) -> Iterator[Swapped]:
        with closing(fitted):
            for each in fitted:
                tally.add(each.located)
                swapped = self._finish(each, histories)
                if each.frame.index >= first:
                    tally.miss(swapped)
                    yield self._compare(each.located.faces[:MOST_FACES], swapped)

    def _compare(self, faces: tuple[Face, ...], swapped: Swapped) -> Swapped:
        with self.stopwatch.stage("likeness"):
            missed = [each.face for each in swapped.missed]
            self.equipment.likeness.compare(swapped, tuple(face for face in faces if face not in missed))
        return swapped
