"""MobileFaceNet: a face crop becomes a 128-d identity vector.

Chen et al. 2018 (arXiv 1804.07573), table 1, in the layout of foamliu/MobileFaceNet, whose published parameters load by
name. `MobileFaceNet` takes RGB normalised by ImageNet's mean and deviation; `FaceEncoder` wraps it for insightface,
which feeds (x - 127.5) / 127.5.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

# expansion, channels, repeats, stride of the first: paper, table 1
STAGES = ((2, 64, 5, 2), (4, 128, 1, 2), (2, 128, 6, 1), (4, 128, 1, 2), (2, 128, 2, 1))


class MobileFaceNet(nn.Module):
    """Map (N, 3, 112, 112) normalised RGB to (N, 128), not L2-normalised."""

    def __init__(self, embedding_dim: int = 128) -> None:
        super().__init__()
        self.conv1 = _conv_bn_relu(3, 64, kernel=3, stride=2)
        self.dw_conv = DepthwiseSeparable(64, 64)
        blocks = []
        channels = 64
        for expansion, width, repeats, stride in STAGES:
            for index in range(repeats):
                blocks.append(InvertedResidual(channels, width, stride if index == 0 else 1, expansion))
                channels = width
        self.features = nn.Sequential(*blocks)
        self.conv2 = _conv_bn_relu(channels, 512, kernel=1)
        self.gdconv = GlobalDepthwise(512, kernel=7)
        self.conv3 = nn.Conv2d(512, embedding_dim, 1)
        self.bn = nn.BatchNorm2d(embedding_dim)

    def forward(self, image: Tensor) -> Tensor:
        """Return the embedding (N, 128)."""
        return self.embed(self.maps(image)[-1])

    def maps(self, image: Tensor) -> list[Tensor]:
        """Return the output of every block, from 56x56 down to (N, 512, 7, 7): hints for a student, perceptual maps."""
        outputs = [image]
        for block in self.blocks():
            outputs.append(block(outputs[-1]))
        return outputs[1:]

    def blocks(self) -> list[nn.Module]:
        """Return the parts that make one map from the one before: the stem, every inverted residual, the last 1x1."""
        return [nn.Sequential(self.conv1, self.dw_conv), *self.features, self.conv2]

    def embed(self, last_map: Tensor) -> Tensor:
        """Reduce the last map to the embedding."""
        return self.bn(self.conv3(self.gdconv(last_map))).flatten(1)


class FaceEncoder(nn.Module):
    """A MobileFaceNet behind insightface's door: RGB in [-1, 1] in, 128-d out.

    The change of normalisation is one multiplication and one addition: a subtraction beside a multiplication among the
    first nodes would make insightface feed raw 0..255 (model_zoo/arcface_onnx.py).
    """

    scale: Tensor
    offset: Tensor

    def __init__(self, network: MobileFaceNet) -> None:
        super().__init__()
        self.network = network
        mean, std = torch.tensor(IMAGENET_MEAN), torch.tensor(IMAGENET_STD)
        self.register_buffer("scale", (0.5 / std).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("offset", ((0.5 - mean) / std).view(1, 3, 1, 1), persistent=False)

    def forward(self, image: Tensor) -> Tensor:
        """Return the embedding (N, 128) of RGB in [-1, 1]."""
        return self.network(image * self.scale + self.offset)


class DepthwiseSeparable(nn.Module):
    """A 3x3 depthwise convolution, then a 1x1."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(in_channels, in_channels, 3, padding=1, groups=in_channels, bias=False)
        self.bn1 = nn.BatchNorm2d(in_channels)
        self.pointwise = nn.Conv2d(in_channels, out_channels, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, out_channels, H, W)."""
        x = functional.relu(self.bn1(self.depthwise(x)))
        return functional.relu(self.bn2(self.pointwise(x)))


class InvertedResidual(nn.Module):
    """Expand, filter depthwise, project; add the input where the shape allows (MobileNetV2, figure 4)."""

    def __init__(self, in_channels: int, out_channels: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = in_channels * expansion
        self.residual = stride == 1 and in_channels == out_channels
        self.conv = nn.Sequential(
            _conv_bn_relu(in_channels, hidden, kernel=1),
            nn.Sequential(Depthwise(hidden, stride), nn.BatchNorm2d(hidden), nn.ReLU6()),
            nn.Conv2d(hidden, out_channels, 1, bias=False),
            nn.BatchNorm2d(out_channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, out_channels, H / stride, W / stride)."""
        return x + self.conv(x) if self.residual else self.conv(x)


class GlobalDepthwise(nn.Module):
    """One learned weight per channel and place instead of average pooling (paper, section 3.2)."""

    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, kernel, groups=channels, bias=False)
        self.bn = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, channels, 1, 1)."""
        return self.bn(self.depthwise(x))


class Depthwise(nn.Conv2d):
    """A depthwise 3x3 convolution that, while training, takes its stride by leaving places out.

    The result is the same. oneDNN's gradient of a strided depthwise convolution takes ten times as long as that of an
    unstrided one (PyTorch 2.13, x86).
    """

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__(channels, channels, 3, stride, padding=1, groups=channels, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, channels, H / stride, W / stride)."""
        if not self.training or self.stride == (1, 1):
            return super().forward(x)
        whole = functional.conv2d(x, self.weight, padding=1, groups=self.groups)
        return whole[..., :: self.stride[0], :: self.stride[1]]


def imagenet_normalise(image: Tensor) -> Tensor:
    """Map RGB in [0, 1] (N, 3, H, W) to ImageNet's zero mean and unit deviation."""
    mean = image.new_tensor(IMAGENET_MEAN).view(1, 3, 1, 1)
    std = image.new_tensor(IMAGENET_STD).view(1, 3, 1, 1)
    return (image - mean) / std


def _conv_bn_relu(in_channels: int, out_channels: int, *, kernel: int, stride: int = 1) -> nn.Sequential:
    padding = (kernel - 1) // 2
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel, stride, padding, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU6(),
    )
