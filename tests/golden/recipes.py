"""Weights, inputs and tolerances of the golden files beside this one.

The arrays were made by running the official modules with these weights, once (PyTorch 2.13 on a CPU). Each weight comes
from its own random stream, seeded by its name, so a network with other names or shapes cannot reproduce them.
Recipe A crushes the signal and is kept for the record; recipe B is the sensitive one.
"""

import zlib

import numpy as np
import torch
from torch import Tensor, nn

from .arrays import FOLDER
from .arrays import arrays as arrays

IMAGENET_MEAN = np.array([0.485, 0.456, 0.406]).reshape(1, 3, 1, 1)
IMAGENET_STD = np.array([0.229, 0.224, 0.225]).reshape(1, 3, 1, 1)


def published_keys(name: str) -> dict[str, tuple[tuple[int, ...], str]]:
    rows = (line.split("\t") for line in (FOLDER / f"simswap_keys_{name}.txt").read_text().splitlines())
    return {key: (tuple(int(n) for n in shape.strip("()").split(",") if n.strip()), kind) for key, shape, kind in rows}


def keys_of(network: nn.Module) -> dict[str, tuple[tuple[int, ...], str]]:
    return {k: (tuple(v.shape), str(v.dtype).removeprefix("torch.")) for k, v in network.state_dict().items()}


def fill(network: nn.Module, recipe: str) -> nn.Module:
    state = network.state_dict()
    for key, value in state.items():
        value.copy_(torch.from_numpy(np.asarray(weight(key, tuple(value.shape), recipe, state.keys()))))
    return network.eval()


def paddle_arrays(recipe: str) -> dict[str, np.ndarray]:
    """Return the arrays of MobileFaceSwap_224.pdparams, named and shaped as Paddle has them."""
    keys = published_keys("mobile_IIN")
    as_torch = {key: key.replace("._mean", ".running_mean").replace("._variance", ".running_var") for key in keys}
    return {key: weight(key, shape, recipe, as_torch.values(), as_torch[key]) for key, (shape, _) in keys.items()}


def weight(key: str, shape: tuple[int, ...], recipe: str, keys, called: str = "") -> np.ndarray:
    owner, _, part = (called or key).rpartition(".")
    if part == "num_batches_tracked":
        return np.int64(0)
    if recipe == "A" and part.startswith("running_"):
        return np.full(shape, float(part == "running_var"), np.float32)
    normal = np.random.RandomState(zlib.crc32(key.encode())).standard_normal(shape)
    scaled = normal * 0.02 if recipe == "A" else _sensitive(normal, part, f"{owner}.running_mean" in keys)
    return scaled.astype(np.float32)


def _sensitive(normal: np.ndarray, part: str, is_batch_norm: bool) -> np.ndarray:
    if part == "running_var":
        return np.exp(0.2 * normal)
    if part in ("running_mean", "bias"):
        return 0.1 * normal
    if is_batch_norm:
        return 1 + 0.1 * normal
    return normal * np.sqrt(1 / np.prod(normal.shape[1:])) if normal.ndim >= 2 else 0.25 + 0.1 * normal


def image(size: int) -> Tensor:
    return torch.from_numpy(np.random.RandomState(0).rand(1, 3, size, size).astype(np.float32))


def imagenet_image(size: int) -> Tensor:
    picture = np.random.RandomState(0).rand(1, 3, size, size).astype(np.float32)
    return torch.from_numpy(((picture - IMAGENET_MEAN) / IMAGENET_STD).astype(np.float32))


def source_map() -> Tensor:
    return torch.from_numpy(np.random.RandomState(2).randn(1, 512, 7, 7).astype(np.float32))


def latent() -> Tensor:
    vector = np.random.RandomState(1).randn(1, 512)
    return torch.from_numpy((vector / np.linalg.norm(vector)).astype(np.float32))


def assert_close(ours, golden, tolerance: float = 1e-4) -> None:
    ours, golden = np.asarray(ours, np.float64), np.asarray(golden, np.float64)
    assert ours.shape == golden.shape
    assert np.abs(ours - golden).max() <= tolerance * max(1, np.abs(golden).max())


@torch.no_grad()
def run_watched(network: nn.Module, names, *inputs: Tensor) -> tuple[Tensor, list[Tensor]]:
    """Run and return the output with what each named part gave."""
    seen = {}
    hooks = [
        network.get_submodule(name).register_forward_hook(
            lambda _, __, out, name=name: seen.update({name: out.clone()})
        )
        for name in names
    ]
    output = network(*inputs)
    for hook in hooks:
        hook.remove()
    return output, [seen[name] for name in names]
