"""Open the networks of a bundle and learn who the source is: all that happens before the first frame."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..engines.cuda import gpu_count
from ..engines.select import Network, open_network
from ..options import Options
from ..shelf import Shelf
from ..stages.bundle import Bundle, Part
from ..stages.detect import Detect, detector_key, open_detector
from ..stages.generate import NetworkGenerator
from ..stages.identity import Encoder, SeenPhoto, find_sources, identify
from ..stages.mask import Mask, OvalMask, ParsedMask
from ..stages.parse import SIDE, Parser
from ..stages.paste import Paste, paste
from ..stages.simswap_paste import SimSwapMask, paste_simswap
from ..stages.specialise import generator_key, open_generator
from ..types import Frame, KnownFace, SourcePhoto
from .finisher import Finisher
from .fitter import Fitter
from .five_points import LandmarkedDetect
from .landmarks import LandmarkFinder, open_landmarks
from .quality import JudgedPhoto, judged
from .recipe import RECIPE
from .records import Source
from .source import Portraitist

# What a source depends on beside its photos: who is found in them, by which networks, how the portrait is made.
_OF_THE_SOURCE = (
    "model", "face_pack", "device", "threads", "det_threshold", "min_face", "force_average", "shape", "without",
    "parser", "paste",
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class RoleStages:
    """What puts one source in: the generator made for it, and what fits its portrait to faces."""

    generator: NetworkGenerator
    fitter: Fitter | None  # None for a generator that is shown no portrait
    network: Network  # the generator's


class OpenBundle:
    """The networks of a bundle as stages that are ready to be used, and what is to be told of them."""

    def __init__(self, bundle: Bundle, options: Options, shelf: Shelf | None = None) -> None:
        self.notes: list[str] = []
        self._shelf = shelf or Shelf()
        self.recipe = RECIPE.without(options.without).shaped(options.shape).up_to(options.max_turn)
        self._bundle, self._options = bundle, options
        contract = bundle.generator.contract
        crop = (contract.identity_template, contract.identity_size)
        self.encoder = Encoder(self._open(bundle.encoder), bundle.encoder.contract, *crop)
        self.parser = self._open_parser()
        self.masker = self._choose_mask()
        self.paste: Paste = paste_simswap if options.paste == "simswap" else paste
        points = bundle.points
        self.landmarks = None if points is None else LandmarkFinder(self._open(points), points.contract)

    def detector(self) -> Detect:
        """Return what finds faces, and reads the points of those that lean from their landmarks."""
        options = self._options
        detect = self._shelf.take(detector_key(options), lambda: open_detector(options.face_pack, options))
        asked = ("landmarks", options.device, options.threads)
        landmarks = self.landmarks or self._shelf.take(asked, lambda: open_landmarks(options))
        return detect if landmarks is None else LandmarkedDetect(detect, landmarks)

    def source(self, photos: Sequence[SourcePhoto | Frame], detect: Detect) -> Source:
        """Return who is in the source's photos; raises what `find_sources` and `identify` raise."""
        asked = tuple(getattr(self._options, name) for name in _OF_THE_SOURCE)
        source, notes = self._shelf.take(("source", *photos, asked), lambda: self._look_at(photos, detect))
        self.notes += notes
        return source

    def _look_at(self, photos: Sequence[SourcePhoto | Frame], detect: Detect) -> tuple[Source, list[str]]:
        """Return who is in the source's photos, and what is to be told of them."""
        seen, notes = find_sources(photos, detect)
        identity, doubts = identify(seen, self.encoder, one_person=not self._options.force_average)
        if self.landmarks is None:
            return Source(identity, None), notes + doubts
        portraitist = self._portraitist(self.landmarks)
        judgement, best = _judged(seen, portraitist)
        portrait = portraitist.take(best.rgb, best.face)
        return Source(identity, portrait, judgement), notes + doubts + _told(judgement)

    def known(self, photos: Sequence[SourcePhoto | Frame], detect: Detect) -> tuple[np.ndarray, KnownFace]:
        """Return the photo (H, W, 3) that shows most of the source's face, where, and who all of them show.

        Raises what `source` raises.
        """
        seen, notes = find_sources(photos, detect)
        identity, doubts = identify(seen, self.encoder, one_person=not self._options.force_average)
        self.notes += notes + doubts
        best = seen[0]
        if self.landmarks is not None:
            judgement, best = _judged(seen, self._portraitist(self.landmarks))
            self.notes += _told(judgement)
        return best.rgb, KnownFace(best.face, identity)

    def _portraitist(self, landmarks: LandmarkFinder) -> Portraitist:
        return Portraitist(landmarks, self.parser, self._bundle.generator.contract.size, self.recipe)

    def stages_for(self, source: Source) -> RoleStages:
        """Return what puts a source in: a generator with the identity set, and what fits the portrait."""
        part = self._bundle.generator
        key = generator_key(part, source.identity, self._options)
        network = self._shelf.take(key, lambda: open_generator(part, source.identity, self._options))
        self.notes += [note for note in _told_device(network, self._options) if note not in self.notes]
        fitter = None
        if source.portrait is not None and self.landmarks is not None:
            fitter = Fitter(source.portrait, self.landmarks, self.recipe)
        return RoleStages(NetworkGenerator(network, part.contract, source.identity), fitter, network)

    def finisher(self) -> Finisher:
        """Return what finishes swapped faces."""
        return Finisher(self.recipe)

    def _open_parser(self) -> Parser | None:
        part, whole = self._bundle.parser, self._options.paste == "simswap"
        if part is None:
            return None
        return Parser(self._open(part), part.contract, None if whole else SIDE)

    def _choose_mask(self) -> Mask:
        if self._options.paste == "simswap":
            return SimSwapMask()
        if self.parser is None:
            self.notes.append(
                "no face parser is installed: an oval mask is used, hair and hands over the face are not kept"
            )
            return OvalMask(self._options.mask_blur)
        # a generator that paints the face paints its glasses too; a portrait warped over them would leave halves
        keeps = self._bundle.points is not None
        return ParsedMask(self._options.mask_blur, keeps_glasses=keeps)

    def _open(self, part: Part) -> Network:
        asked = (self._options.device, self._options.threads)
        return self._shelf.take(("network", part.path, *asked), lambda: open_network(part.path, *asked))


def _judged(seen: list[SeenPhoto], portraitist: Portraitist) -> tuple[tuple[JudgedPhoto, ...], SeenPhoto]:
    """Return how each photo of a source does, and the one that is taken."""
    qualities = [portraitist.quality(each.rgb, each.face) for each in seen]
    photos = judged([each.photo.name for each in seen], qualities)
    return photos, next(each for each, photo in zip(seen, photos, strict=True) if photo.taken)


def _told(photos: tuple[JudgedPhoto, ...]) -> list[str]:
    """Say what is wrong with the best of a source's photos, if anything is."""
    return [note for photo in photos if photo.taken for note in photo.quality.told(photo.name)]


def _told_device(network: Network, options: Options) -> list[str]:
    """Say once when the CPU does the work although a GPU was asked for or is there."""
    if network.device == "cuda" or options.device == "cpu" or (options.device == "auto" and gpu_count() == 0):
        return []
    if gpu_count() == 0:
        return ["no CUDA device is seen on this machine, the CPU does the work"]
    return ["no GPU could be used, the CPU does the work: `faceswap doctor` says why"]
