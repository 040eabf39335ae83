"""What several networks share: small building blocks and the strict way to load weights.

Nothing here knows about faces; every block keeps NCHW and is told its output's channels.
"""

from collections.abc import Mapping

from torch import Tensor, nn
from torch.nn import functional

from ..errors import WeightsError


def conv_norm_act(incoming: int, outgoing: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """Build convolution (no bias), batch norm, ReLU; `stride` 1 keeps height and width."""
    convolution = nn.Conv2d(incoming, outgoing, kernel, stride, kernel // 2, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outgoing), nn.ReLU())


def shrunk(pictures: Tensor, size: int) -> Tensor:
    """Return pictures (N, C, S, S) averaged down to `size`, at most S."""
    side = pictures.shape[-1]
    if side % size:
        return functional.adaptive_avg_pool2d(pictures, size)
    return functional.avg_pool2d(pictures, side // size) if side > size else pictures


def resized(field: Tensor, like: Tensor) -> Tensor:
    """Return a field (N, C, h, w) as high and wide as `like`, bilinear."""
    return functional.interpolate(field, size=like.shape[-2:], mode="bilinear", align_corners=False)


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
