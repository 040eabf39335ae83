"""What several networks share: small building blocks and the strict way to load weights.

Nothing here knows about faces; every block keeps NCHW and is told its output's channels.
"""

from collections.abc import Mapping, Sequence
from math import gcd

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..errors import WeightsError

LONGEST_PERIOD = 16  # pixels a side of a group that is averaged by one convolution


def conv_norm_act(incoming: int, outgoing: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """Build convolution (no bias), batch norm, ReLU; `stride` 1 keeps height and width."""
    convolution = nn.Conv2d(incoming, outgoing, kernel, stride, kernel // 2, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outgoing), nn.ReLU())


def shrunk(pictures: Tensor, size: int) -> Tensor:
    """Return pictures (N, C, S, S) averaged down to `size`, at most S."""
    side = pictures.shape[-1]
    if side % size == 0:
        return functional.avg_pool2d(pictures, side // size) if side > size else pictures
    if pictures.is_cuda or side // gcd(side, size) > LONGEST_PERIOD:
        return functional.adaptive_avg_pool2d(pictures, size)
    return _pooled(pictures, size)


def _pooled(pictures: Tensor, size: int) -> Tensor:
    """Return what adaptive pooling does: windows recur, so one convolution finds all of a group, side by side.

    An exported adaptive pool gathers every window's pixels one by one, which took a fifth of a painter's time.
    """
    side, groups = pictures.shape[-1], gcd(pictures.shape[-1], size)
    period, cells = side // groups, size // groups
    windows = [(cell * period // cells, -(-(cell + 1) * period // cells)) for cell in range(cells)]
    shares = [[(low <= pixel < high) / (high - low) for pixel in range(period)] for low, high in windows]
    share = torch.tensor(shares, dtype=pictures.dtype, device=pictures.device)
    kernels = (share[:, None, :, None] * share[None, :, None, :]).reshape(-1, 1, period, period)
    with torch.autocast(pictures.device.type, enabled=False):
        found = functional.conv2d(pictures.reshape(-1, 1, side, side), kernels, stride=period)
    return functional.pixel_shuffle(found, cells).reshape(*pictures.shape[:2], size, size)


def resized(field: Tensor, like: Tensor) -> Tensor:
    """Return a field (N, C, h, w) as high and wide as `like`, bilinear."""
    return functional.interpolate(field, size=like.shape[-2:], mode="bilinear", align_corners=False)


def enlarged(fields: Sequence[Tensor], like: Tensor) -> list[Tensor]:
    """Return what `resized` does, of square fields of few cells: by products, faster by far on a CPU."""
    if like.is_cuda:
        return [resized(field, like) for field in fields]
    sides = {field.shape[-1] for field in fields}
    spread = {cells: torch.tensor(_spread(cells, like.shape[-1]), dtype=like.dtype) for cells in sides}
    with torch.autocast(like.device.type, enabled=False):
        return [spread[field.shape[-1]] @ field.to(like.dtype) @ spread[field.shape[-1]].T for field in fields]


def _spread(cells: int, size: int) -> list[list[float]]:
    """Return (size, cells): how much of each cell is in each pixel, edges on edges."""
    places = [min(max((pixel + 0.5) * cells / size - 0.5, 0), cells - 1) for pixel in range(size)]
    return [[max(0.0, 1 - abs(place - cell)) for cell in range(cells)] for place in places]


def doubled(features: Tensor) -> Tensor:
    """Return features (N, C, h, w) twice as high and wide, bilinear, edges on edges."""
    return functional.interpolate(features, scale_factor=2.0, mode="bilinear", align_corners=False)


def silent(convolution: nn.Conv2d, deviation: float, value: float = 0.0) -> nn.Conv2d:
    """Start a head near one value everywhere, its weights of so small a deviation: with 0 it changes nothing."""
    assert convolution.bias is not None
    nn.init.normal_(convolution.weight, std=deviation)
    nn.init.constant_(convolution.bias, value)
    return convolution


def load_strictly(network: nn.Module, state: Mapping[str, Tensor], *, ignore_surplus: bool = False) -> None:
    """Copy `state` into `network`; every key of the network must be there in its shape, and no other key.

    `ignore_surplus` is for published files known to carry tensors that their own program never used.
    Raises WeightsError naming the first keys that do not fit; the network is untouched then.
    """
    expected = network.state_dict()
    missing = [key for key in expected if key not in state]
    surplus = [key for key in state if key not in expected]
    misshapen = [key for key in expected if key in state and state[key].shape != expected[key].shape]
    if missing or misshapen or (surplus and not ignore_surplus):
        raise WeightsError(
            f"These weights do not fit {type(network).__name__}: {_first(missing)} missing, {_first(misshapen)} of "
            f"another shape, {_first(surplus)} unknown. Choose the file and the variant that belong together."
        )
    network.load_state_dict({key: state[key] for key in expected})


def _first(keys: list[str]) -> str:
    """Count keys and show two of them."""
    return f"{len(keys)} ({', '.join(keys[:2])}{', ...' if len(keys) > 2 else ''})" if keys else "0"
