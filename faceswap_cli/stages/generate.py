"""Give crops the identity of the source: the sixth step of a frame's way.

Every generator, published or ours, keeps one contract (a target crop and an identity in, a crop out), so the pipeline
cannot tell them apart. Those that ask for a portrait too are shown the source's, warped to each target.
"""

from typing import Protocol

import numpy as np

from ..engines.select import Network
from ..errors import WeightsError
from ..store.models import Entry
from ..types import Crop, Identity
from .tensors import to_layers, to_pixels, to_tensor

# Crops computed at once. On a CPU more than one gains nothing, and one gives the same result whoever shares the frame.
_BATCH = {"cpu": 1, "cuda": 8}


class Generate(Protocol):
    """Whatever swaps crops."""

    template: str
    size: int

    def generate(self, crops: list[Crop], portraits: list[np.ndarray]) -> list[np.ndarray]:
        """Return the swapped pictures (S, S, 3) uint8, one per crop.

        `portraits` has the source's, warped to each crop (S, S, 4), nothing for a generator that is shown none.
        """
        ...


class NetworkGenerator:
    """A generator network with the source's identity set."""

    def __init__(self, network: Network, contract: Entry, identity: Identity) -> None:
        if set(network.inputs) - {"portrait"} not in ({"target", "identity"}, {"target"}):
            raise WeightsError(
                f"{contract.file} takes {', '.join(network.inputs)}; a generator takes target and identity"
            )
        if "portrait" in network.inputs and not contract.points:
            raise WeightsError(f"{contract.file} is shown a portrait, but its contract names no points to warp it by")
        if identity.space != contract.space:
            raise WeightsError(f"{contract.file} understands {contract.space!r}, the identity is of {identity.space!r}")
        self.template, self.size = contract.template, contract.size
        self._network, self._contract = network, contract
        self._identity = identity.embedding[None] if "identity" in network.inputs else None  # None: folded in

    def generate(self, crops: list[Crop], portraits: list[np.ndarray]) -> list[np.ndarray]:
        """Return the swapped pictures (S, S, 3) uint8, one per crop."""
        step, images = _BATCH[self._network.device], []
        for start in range(0, len(crops), step):
            images += self._compute(crops[start : start + step], portraits[start : start + step])
        return images

    def _compute(self, crops: list[Crop], portraits: list[np.ndarray]) -> list[np.ndarray]:
        target = to_tensor([crop.image for crop in crops], self._contract.input_range)
        arrays = {"target": target}
        if self._identity is not None:
            arrays["identity"] = np.repeat(self._identity, len(crops), axis=0)
        if portraits:
            arrays["portrait"] = to_layers(portraits)
        image = self._network.run(**arrays)[0]
        return to_pixels(image, self._contract.output_range)
