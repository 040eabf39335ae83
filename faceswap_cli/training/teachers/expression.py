"""Keep the target's expression and pose: a landmark network looks at target and swap and must see the same.

Its weights are face-api.js's (MIT), given as the folder with `*landmark_68*manifest.json` and the shard beside it: raw
uint8 tensors with a scale and a minimum each.
"""

import json
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ...errors import WeightsError
from ...networks.landmarks import SIZE, LandmarkNet

# Part of SimSwap's frontal crop that the network takes for a face's box: shares of the side, x0 y0 x1 y1.
FACE_BOX = (0.16, 0.16, 0.84, 0.94)
# Distances that say how open mouth and eyes are: inner lips, then two pairs of lids for each eye (iBUG numbers).
OPENINGS = ((61, 67), (62, 66), (63, 65), (37, 41), (38, 40), (43, 47), (44, 46))


class ExpressionJudge(nn.Module):
    """Compare the landmarks of two batches of crops."""

    def __init__(self, network: LandmarkNet) -> None:
        super().__init__()
        self.network = network.requires_grad_(False).eval()

    def points(self, crops: Tensor) -> Tensor:
        """Return (N, 68, 2), in shares of the face box, of crops (N, 3, S, S) in [0, 1]."""
        size = crops.shape[-1]
        left, top, right, bottom = (round(share * size) for share in FACE_BOX)
        box = functional.interpolate(crops[..., top:bottom, left:right], size=(SIZE, SIZE), mode="bilinear")
        return self.network(box).float()

    def forward(self, fake: Tensor, target: Tensor) -> Tensor:
        """Return half the mean distance of all points (places are partly identity) plus four times the openings'."""
        with torch.no_grad():
            wanted = self.points(target)
        found = self.points(fake)
        return 0.5 * functional.l1_loss(found, wanted) + 4 * functional.l1_loss(_openings(found), _openings(wanted))


def load_expression_judge(folder: Path) -> ExpressionJudge:
    """Read face-api.js's landmark weights; raise WeightsError when the folder does not hold them."""
    manifests = sorted(folder.glob("*landmark_68_model*manifest.json"))
    if not manifests:
        raise WeightsError(f"{folder} holds no face-api.js landmark_68 manifest: give the folder of both files")
    network = LandmarkNet()
    network.load_state_dict(dict(_tensors(manifests[0])))
    return ExpressionJudge(network)


def _openings(points: Tensor) -> Tensor:
    upper, lower = zip(*OPENINGS, strict=True)
    return (points[:, list(upper)] - points[:, list(lower)]).norm(dim=2)


def _tensors(manifest: Path) -> list[tuple[str, Tensor]]:
    """Return the tensors under our names; the order in the file is the order in the manifest."""
    (group,) = json.loads(manifest.read_text(encoding="utf-8"))
    prefix = manifest.name.removesuffix(group["paths"][0].removesuffix("-shard1") + "-weights_manifest.json")
    data = np.fromfile(manifest.with_name(prefix + group["paths"][0]), np.uint8)
    named, offset = [], 0
    for entry in group["weights"]:
        count = int(np.prod(entry["shape"]))
        scale, lowest = entry["quantization"]["scale"], entry["quantization"]["min"]
        values = data[offset : offset + count].astype(np.float32).reshape(entry["shape"]) * scale + lowest
        named.append((_our_name(entry["name"]), torch.from_numpy(_our_layout(entry["name"], values))))
        offset += count
    return named


def _our_name(name: str) -> str:
    """Translate `dense1/conv0/pointwise_filter` and its like."""
    parts = name.split("/")
    if parts[0] == "fc":
        return "fc.weight" if parts[1] == "weights" else "fc.bias"
    block, convolution, kind = parts[0].removeprefix("dense"), parts[1].removeprefix("conv"), parts[2]
    plain = block == convolution == "0"
    leaf = {
        "filters": "weight",
        "depthwise_filter": "depthwise.weight",
        "pointwise_filter": "pointwise.weight",
        "bias": "bias" if plain else "pointwise.bias",
    }[kind]
    return f"blocks.{block}.convolutions.{convolution}.{leaf}"


def _our_layout(name: str, values: np.ndarray) -> np.ndarray:
    """Turn (height, width, in, out) into (out, in, height, width); a depthwise filter's "out" is 1."""
    if name == "fc/weights":
        return np.ascontiguousarray(values.T)
    if values.ndim < 4:
        return values
    order = (2, 3, 0, 1) if name.endswith("depthwise_filter") else (3, 2, 0, 1)
    return np.ascontiguousarray(values.transpose(order))
