"""Open the networks of a bundle and learn who the source is: all that happens before the first frame."""

from collections.abc import Sequence

from ..engines import Network, gpu_count, open_network
from ..options import Options
from ..types import Frame, Identity, SourcePhoto
from .bundle import Bundle, Part
from .detect import Detect
from .fit import Fit
from .generate import NetworkGenerator
from .identity import Encoder, embed_source
from .mask import Mask, OvalMask, ParsedMask
from .parse import Parser
from .points import PointFinder
from .portrait import Portraitist
from .specialise import open_generator


class Opening:
    """The stages of one source, ready to be used, and what is to be told of them."""

    def __init__(self, bundle: Bundle, options: Options) -> None:
        self.notes: list[str] = []
        self._bundle, self._options = bundle, options
        contract = bundle.generator.contract
        crop = (contract.identity_template, contract.identity_size)
        self.encoder = Encoder(self._open(bundle.encoder), bundle.encoder.contract, *crop)
        self.parser = None if bundle.parser is None else Parser(self._open(bundle.parser), bundle.parser.contract)
        self.masker = self._choose_mask()
        self._points = None if bundle.points is None else PointFinder(self._open(bundle.points), bundle.points.contract)

    def identity(self, sources: Sequence[SourcePhoto | Frame], detect: Detect) -> Identity:
        """Return who is in the source's photos; raises what `embed_source` raises."""
        one_person = not self._options.force_average
        identity, notes = embed_source(sources, detect, self.encoder, self._portraitist(), one_person)
        self.notes += notes
        return identity

    def generator(self, identity: Identity) -> tuple[NetworkGenerator, Network]:
        """Return the generator with its identity set, and its network."""
        part = self._bundle.generator
        network = open_generator(part, identity, self._options)
        self.notes += _told_device(network, self._options)
        return NetworkGenerator(network, part.contract, identity), network

    def fit(self, identity: Identity) -> Fit | None:
        """Return what lays the source's portrait, None for a generator that is shown none."""
        return Fit(identity.portrait, self._points) if identity.portrait and self._points else None

    def _portraitist(self) -> Portraitist | None:
        if self._points is None:
            return None
        return Portraitist(self._points, self.parser, self._bundle.generator.contract.size)

    def _choose_mask(self) -> Mask:
        if self.parser is None:
            self.notes.append(
                "no face parser is installed: an oval mask is used, hair and hands over the face are not kept"
            )
            return OvalMask(self._options.mask_blur)
        # a generator that paints the face paints its glasses too; a portrait laid over them would leave halves
        keeps = self._bundle.points is not None
        return ParsedMask(self._options.mask_blur, keeps_glasses=keeps)

    def _open(self, part: Part) -> Network:
        return open_network(part.path, self._options.device, self._options.threads)


def _told_device(network: Network, options: Options) -> list[str]:
    """Say once when the CPU does the work although a GPU was asked for or is there."""
    if network.device == "cuda" or options.device == "cpu" or (options.device == "auto" and gpu_count() == 0):
        return []
    if gpu_count() == 0:
        return ["no CUDA device is seen on this machine, the CPU does the work"]
    return ["no GPU could be used, the CPU does the work: `faceswap doctor` says why"]
