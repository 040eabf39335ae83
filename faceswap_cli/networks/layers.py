"""Small building blocks that several networks share.

Nothing here knows about faces; every block keeps NCHW and gives its output's channels explicitly.
"""

from torch import nn


def conv_norm_act(incoming: int, outgoing: int, kernel: int = 3, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    """Build convolution (no bias), batch norm, ReLU; `stride` 1 keeps height and width."""
    padding = dilation * (kernel // 2)
    convolution = nn.Conv2d(incoming, outgoing, kernel, stride, padding, dilation, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outgoing), nn.ReLU())
