"""What several networks share: a small building block and the strict way to load weights.

Nothing here knows about faces; every block keeps NCHW and is told its output's channels.
"""

from collections.abc import Mapping

from torch import Tensor, nn

from ..errors import WeightsError


def conv_norm_act(incoming: int, outgoing: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """Build convolution (no bias), batch norm, ReLU; `stride` 1 keeps height and width."""
    convolution = nn.Conv2d(incoming, outgoing, kernel, stride, kernel // 2, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outgoing), nn.ReLU())


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
