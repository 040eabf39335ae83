"""The identity encoders a training uses: load them, and let them look at a whole set once."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ..._version import __version__
from ...engines.metadata import read_metadata
from ...engines.torch import load_module
from ...errors import WeightsError
from ...networks.export import read_state_dict
from ...networks.layers import load_strictly
from ...networks.mobilefacenet import MobileFaceNet
from ...store import models
from ..core.cached_arrays import digest, remembered
from ..core.run import channels_last
from ..data.face_set import FaceSet, encoder_crop, to_tensor
from .identity_judge import IdentityJudge
from .spaces import OURS, space_of


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


def names_of(encoders: Sequence[nn.Module]) -> list[str]:
    """Return what tells encoders from any others, so that a run goes on with those it began with."""
    states = [encoder.state_dict() for encoder in encoders]
    return [digest(sorted(state), (state[key].numpy() for key in sorted(state)))[:12] for state in states]


def _read_any(path: Path) -> nn.Module:
    """Return a frozen encoder: a MobileFaceNet, or an ArcFace that was imported."""
    if path.suffix == ".onnx" and read_metadata(path).get("network", "").startswith("arcface"):
        return channels_last(load_module(path, read_metadata(path))).requires_grad_(False)
    return load_encoder(path)


def _read_pickle(path: Path) -> dict[str, Tensor]:
    state = torch.load(path, map_location="cpu", weights_only=True)
    return state.get("average", state.get("network", state))


def load_embeddings(faces: FaceSet, judge: IdentityJudge, device: torch.device, cache: Path) -> Tensor:
    """Return `embed_faces`, from `cache` (.npz) where it was made of just these pictures by these encoders."""
    weights = [value.cpu().numpy() for value in judge.encoders.state_dict().values()]
    made_of = digest(__version__, [faces.images, faces.points, *weights])
    found = remembered(cache, made_of, lambda: {"embeddings": embed_faces(faces, judge, device).numpy()})
    return torch.from_numpy(found["embeddings"])


@torch.no_grad()
def embed_faces(faces: FaceSet, judge: IdentityJudge, device: torch.device) -> Tensor:
    """Return (encoders, N, D), L2 norm 1: every face of a set as each encoder sees it and its mirror image."""
    rows = np.array_split(np.arange(len(faces)), max(1, len(faces) // 64))
    parts = []
    for part in rows:
        cut = [encoder_crop(faces.images[row], faces.points[row], None, judge.space.template) for row in part]
        crops = to_tensor(cut).to(device)
        both = [_embed_both_ways(judge, crops, index) for index in range(len(judge.encoders))]
        parts.append(torch.nn.functional.normalize(torch.stack(both), dim=2))
    return torch.cat(parts, dim=1).cpu()


def _embed_both_ways(judge: IdentityJudge, crops: Tensor, encoder: int) -> Tensor:
    vectors = judge.embed(crops, encoder)
    return vectors + judge.embed(crops.flip(3), encoder) if judge.space.symmetric else vectors
