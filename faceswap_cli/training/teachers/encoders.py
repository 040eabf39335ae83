"""The identity encoders a training uses: load them, and let them look at a whole set once."""

from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ...engines.metadata import read_metadata
from ...engines.torch import load_module
from ...errors import WeightsError
from ...networks.export import read_state_dict
from ...networks.layers import load_strictly
from ...networks.mobilefacenet import MobileFaceNet
from ...store import models
from ..core.digests import digest
from ..core.run import channels_last
from ..data.array_like import ArrayLike, Lazy
from ..data.columns import Columns, Filling, Found, Layout, fill_missing, rows_of
from ..data.face_set import ColumnReader, crop_at, encoder_crop, points_at, to_tensor
from ..data.packs import Packs
from ..data.table import Table
from .identity_judge import IdentityJudge
from .spaces import OURS, space_of

IDENTITY = "identity"  # name of the column
AT_ONCE = 64  # faces an encoder looks at


def load_encoders(teacher: Path | None) -> list[nn.Module]:
    """Return the encoders a generator is judged by: the given one and, where it is of the same space, the embedded one.

    Raises WeightsError for a file that holds no encoder, and for an embedded one that was altered.
    """
    encoders: list[nn.Module] = [] if teacher is None else [_read_any(models.file_of(teacher))]
    if encoders and space_of(encoders[0]) is not OURS:
        return encoders
    if not encoders or models.is_present(models.entry("encoder")):  # an altered one is refused, never left out
        encoders.append(load_encoder(models.locate("encoder")))
    return encoders


def load_encoder(path: Path) -> MobileFaceNet:
    """Return a frozen MobileFaceNet from an ONNX file of ours or a state dict; WeightsError for anything else."""
    network = read_encoder(path)
    return channels_last(network).eval().requires_grad_(False)


def read_encoder(path: Path) -> MobileFaceNet:
    """Return a MobileFaceNet as `load_encoder` does, still free to learn."""
    network = MobileFaceNet()
    try:
        state = read_state_dict(path) if path.suffix == ".onnx" else _read_pickle(path)
    except Exception as error:  # torch and onnx raise half a dozen kinds for a damaged or foreign file
        raise WeightsError(f"{path} is not a readable MobileFaceNet file ({type(error).__name__})") from error
    load_strictly(network, state)
    return network


def names_of(encoders: Iterable[nn.Module]) -> list[str]:
    """Return what tells encoders from any others, so that a run goes on with those it began with."""
    states = [encoder.state_dict() for encoder in encoders]
    return [digest(sorted(state), (state[key].cpu().numpy() for key in sorted(state)))[:12] for state in states]


def _read_any(path: Path) -> nn.Module:
    """Return a frozen encoder: a MobileFaceNet, or an ArcFace that was imported."""
    if path.suffix == ".onnx" and read_metadata(path).get("network", "").startswith("arcface"):
        return channels_last(load_module(path, read_metadata(path))).requires_grad_(False)
    return load_encoder(path)


def _read_pickle(path: Path) -> dict[str, Tensor]:
    state = torch.load(path, map_location="cpu", weights_only=True)
    return state.get("average", state.get("network", state))


def load_embeddings(
    packs: Packs, size: int, judge: IdentityJudge, device: torch.device, filling: Filling
) -> list[ArrayLike]:
    """Return what each encoder makes of every face of packs at `size` pixels and of its mirror image.

    That is (N, D) each, L2 norm 1. Faces that were not looked at yet are, once and for all.
    """
    if device.type == "cpu":
        filling = replace(filling, processes=1)  # the encoders need the cores, cutting crops is nothing
    dimension = judge.space.dimension
    found: list[ArrayLike] = []
    for index, name in enumerate(names_of(judge.encoders)):
        columns, embed = [], partial(_found, judge, index, device)
        for table in packs.tables:
            folder = filling.folder(table, f"identities-{size}-{name}")
            columns.append(Columns(folder, table, Layout({IDENTITY: (dimension,)})))
            fill_missing(columns[-1], filling, partial(CropCutter, table, size, judge.space.template), embed)
        found.append(Lazy((len(packs), dimension), ColumnReader(packs, columns, IDENTITY)))
    return found


class CropCutter:
    """Cuts what an encoder sees out of the crops of a pack, chunk by chunk."""

    def __init__(self, table: Table, size: int, template: str) -> None:
        self._table, self._size, self._template = table, size, template

    def __call__(self, chunk: int) -> np.ndarray:
        """Return (K, 112, 112, 3) uint8."""
        numbers = np.arange(len(self._table))[rows_of(chunk)]
        points = points_at(self._table, numbers, self._size)
        crops = (crop_at(self._table, int(number), self._size) for number in numbers)
        cut = [encoder_crop(crop, five, None, self._template) for crop, five in zip(crops, points, strict=True)]
        return np.stack(cut)


def _found(judge: IdentityJudge, encoder: int, device: torch.device, crops: np.ndarray) -> Found:
    parts = np.array_split(crops, -(-len(crops) // AT_ONCE))
    return {IDENTITY: np.concatenate([embed_both_ways(judge, part, encoder, device) for part in parts])}, {}


@torch.no_grad()
def embed_both_ways(judge: IdentityJudge, crops: np.ndarray, encoder: int, device: torch.device) -> np.ndarray:
    """Return (K, D), L2 norm 1: what an encoder makes of crops (K, 112, 112, 3) uint8 and of their mirror images."""
    faces = to_tensor(crops).to(device)
    vectors = judge.embed(faces, encoder)
    if judge.space.symmetric:
        vectors = vectors + judge.embed(faces.flip(3), encoder)
    return torch.nn.functional.normalize(vectors).cpu().numpy()
