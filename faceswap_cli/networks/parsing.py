"""Networks that label each pixel of a face crop with one of 19 classes (step: mask).

ParseNet is ours, small enough for every frame on a CPU: RGB in [0, 1] in. BiSeNet on ResNet-18 (Yu et al., ECCV 2018)
is the published one: ImageNet-normalised RGB in, 512 pixels. Both give logits (N, 19, S, S) in the order of `CLASSES`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from .layers import conv_norm_act, load_strictly

# CelebAMask-HQ's classes in the order of the published parsers.
CLASSES = (
    "background",
    "skin",
    "left_brow",
    "right_brow",
    "left_eye",
    "right_eye",
    "glasses",
    "left_ear",
    "right_ear",
    "earring",
    "nose",
    "mouth",
    "upper_lip",
    "lower_lip",
    "neck",
    "necklace",
    "cloth",
    "hair",
    "hat",
)


@dataclass(frozen=True, slots=True)
class ParseNetConfig:
    """Size and shape of ParseNet."""

    size: int = 160  # side of the input and of the logits, a multiple of 16
    widths: tuple[int, int, int, int] = (16, 32, 64, 96)  # channels at 1/2, 1/4, 1/8 and 1/16
    blocks: tuple[int, int, int] = (1, 2, 2)  # residual blocks at 1/4, 1/8 and 1/16
    head_width: int = 32  # channels of the last feature map, at 1/2


class ParseNet(nn.Module):
    """Label a face crop: a U of four resolutions, every map of the way down added on the way up."""

    def __init__(self, config: ParseNetConfig | None = None) -> None:
        super().__init__()
        self.config = config or ParseNetConfig()
        half, quarter, eighth, sixteenth = self.config.widths
        at_quarter, at_eighth, at_sixteenth = self.config.blocks
        self.stem = conv_norm_act(3, half, stride=2)
        self.down4 = _stage(half, quarter, at_quarter)
        self.down8 = _stage(quarter, eighth, at_eighth)
        self.down16 = _stage(eighth, sixteenth, at_sixteenth)
        self.context = nn.Conv2d(sixteenth, sixteenth, 1)
        self.up8 = _Up(sixteenth, eighth, eighth)
        self.up4 = _Up(eighth, quarter, quarter)
        self.up2 = _Up(quarter, half, self.config.head_width)
        self.head = nn.Conv2d(self.config.head_width, len(CLASSES), 1)

    def forward(self, image: Tensor) -> Tensor:
        """Return logits (N, 19, S, S) for an RGB image (N, 3, S, S) in [0, 1]."""
        half = self.stem(image * 2 - 1)
        quarter = self.down4(half)
        eighth = self.down8(quarter)
        coarse = self.down16(eighth)
        coarse = coarse + self.context(coarse.mean((2, 3), keepdim=True))
        fine = self.up2(self.up4(self.up8(coarse, eighth), quarter), half)
        return functional.interpolate(self.head(fine), scale_factor=2.0, mode="bilinear", align_corners=False)


class _Residual(nn.Module):
    """Two 3x3 convolutions around a shortcut."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = conv_norm_act(width, width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)

    def forward(self, features: Tensor) -> Tensor:
        return torch.relu(features + self.norm2(self.conv2(self.conv1(features))))


class _Up(nn.Module):
    """Bring a coarse map to twice its size, add the finer map of the way down, mix."""

    def __init__(self, coarse: int, fine: int, outgoing: int) -> None:
        super().__init__()
        self.narrow = nn.Conv2d(coarse, outgoing, 1)
        self.skip = nn.Conv2d(fine, outgoing, 1)
        self.mix = conv_norm_act(outgoing, outgoing)

    def forward(self, coarse: Tensor, fine: Tensor) -> Tensor:
        grown = functional.interpolate(self.narrow(coarse), scale_factor=2.0, mode="bilinear", align_corners=False)
        return self.mix(grown + self.skip(fine))


def _stage(incoming: int, outgoing: int, blocks: int) -> nn.Sequential:
    return nn.Sequential(conv_norm_act(incoming, outgoing, stride=2), *(_Residual(outgoing) for _ in range(blocks)))


class BiSeNet(nn.Module):
    """The published parser; its spatial path is the ResNet's own map at 1/8 (zllrunning/face-parsing.PyTorch)."""

    def __init__(self) -> None:
        super().__init__()
        self.cp = ContextPath()
        self.ffm = FeatureFusion(256, 256)
        self.conv_out = SegmentationHead(256, 256)
        self.conv_out16 = SegmentationHead(128, 64)
        self.conv_out32 = SegmentationHead(128, 64)

    def forward(self, image: Tensor) -> Tensor:
        """Return logits (N, 19, S, S) for an ImageNet-normalised RGB image; S is a multiple of 32."""
        return self.heads(image)[0]

    def heads(self, image: Tensor) -> tuple[Tensor, ...]:
        """Return the logits and those of the two auxiliary heads that only training uses, all (N, 19, S, S)."""
        spatial, context8, context16 = self.cp(image)
        fused = self.ffm(spatial, context8)
        logits = self.conv_out(fused), self.conv_out16(context8), self.conv_out32(context16)
        size = image.shape[2:]
        return tuple(functional.interpolate(one, size, mode="bilinear", align_corners=True) for one in logits)


class ContextPath(nn.Module):
    """ResNet-18 whose two coarsest maps are refined by attention and handed down to finer ones."""

    def __init__(self) -> None:
        super().__init__()
        self.resnet = ResNet18()
        self.arm16 = AttentionRefinement(256, 128)
        self.arm32 = AttentionRefinement(512, 128)
        self.conv_head32 = ConvNormRelu(128, 128, 3)
        self.conv_head16 = ConvNormRelu(128, 128, 3)
        self.conv_avg = ConvNormRelu(512, 128, 1)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the ResNet's map at 1/8 (128 channels) and the context at 1/8 and 1/16 (128 channels each)."""
        map8, map16, map32 = self.resnet(image)
        whole = self.conv_avg(map32.mean((2, 3), keepdim=True))
        context32 = self.arm32(map32) + whole
        context16 = self.conv_head32(functional.interpolate(context32, scale_factor=2.0, mode="nearest"))
        context8 = self.arm16(map16) + context16
        context8 = self.conv_head16(functional.interpolate(context8, scale_factor=2.0, mode="nearest"))
        return map8, context8, context16


class ResNet18(nn.Module):
    """The usual ResNet-18 without its classifier; returns the maps at 1/8, 1/16 and 1/32."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = nn.Sequential(BasicBlock(64, 64, 1), BasicBlock(64, 64, 1))
        self.layer2 = nn.Sequential(BasicBlock(64, 128, 2), BasicBlock(128, 128, 1))
        self.layer3 = nn.Sequential(BasicBlock(128, 256, 2), BasicBlock(256, 256, 1))
        self.layer4 = nn.Sequential(BasicBlock(256, 512, 2), BasicBlock(512, 512, 1))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return maps of 128, 256 and 512 channels."""
        map8 = self.layer2(self.layer1(self.maxpool(torch.relu(self.bn1(self.conv1(image))))))
        map16 = self.layer3(map8)
        return map8, map16, self.layer4(map16)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions around a shortcut (He et al., CVPR 2016)."""

    def __init__(self, incoming: int, outgoing: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(incoming, outgoing, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outgoing)
        self.conv2 = nn.Conv2d(outgoing, outgoing, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outgoing)
        self.downsample = None
        if stride != 1 or incoming != outgoing:
            shrink = nn.Conv2d(incoming, outgoing, 1, stride, bias=False)
            self.downsample = nn.Sequential(shrink, nn.BatchNorm2d(outgoing))

    def forward(self, features: Tensor) -> Tensor:
        """Return features (N, outgoing, h / stride, w / stride)."""
        shortcut = features if self.downsample is None else self.downsample(features)
        change = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(features)))))
        return torch.relu(change + shortcut)


class ConvNormRelu(nn.Module):
    """Convolution, batch norm, ReLU, under the names the published file gives them."""

    def __init__(self, incoming: int, outgoing: int, kernel: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(incoming, outgoing, kernel, padding=kernel // 2, bias=False)
        self.bn = nn.BatchNorm2d(outgoing)

    def forward(self, features: Tensor) -> Tensor:
        """Return features (N, outgoing, h, w)."""
        return torch.relu(self.bn(self.conv(features)))


class AttentionRefinement(nn.Module):
    """Weigh each channel by what the channels' means say, through one convolution and norm (paper, figure 2b)."""

    def __init__(self, incoming: int, outgoing: int) -> None:
        super().__init__()
        self.conv = ConvNormRelu(incoming, outgoing, 3)
        self.conv_atten = nn.Conv2d(outgoing, outgoing, 1, bias=False)
        self.bn_atten = nn.BatchNorm2d(outgoing)

    def forward(self, features: Tensor) -> Tensor:
        """Return features (N, outgoing, h, w)."""
        features = self.conv(features)
        weights = self.bn_atten(self.conv_atten(features.mean((2, 3), keepdim=True)))
        return features * torch.sigmoid(weights)


class FeatureFusion(nn.Module):
    """Join the spatial and the context map, then strengthen the channels that matter (paper, figure 2c)."""

    def __init__(self, incoming: int, outgoing: int) -> None:
        super().__init__()
        self.convblk = ConvNormRelu(incoming, outgoing, 1)
        self.conv1 = nn.Conv2d(outgoing, outgoing // 4, 1, bias=False)
        self.conv2 = nn.Conv2d(outgoing // 4, outgoing, 1, bias=False)

    def forward(self, spatial: Tensor, context: Tensor) -> Tensor:
        """Return features (N, outgoing, h, w)."""
        features = self.convblk(torch.cat([spatial, context], dim=1))
        weights = self.conv2(torch.relu(self.conv1(features.mean((2, 3), keepdim=True))))
        return features * torch.sigmoid(weights) + features


class SegmentationHead(nn.Module):
    """One more 3x3 convolution, then a logit per class."""

    def __init__(self, incoming: int, middle: int) -> None:
        super().__init__()
        self.conv = ConvNormRelu(incoming, middle, 3)
        self.conv_out = nn.Conv2d(middle, len(CLASSES), 1, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """Return logits (N, 19, h, w)."""
        return self.conv_out(self.conv(features))


def load_bisenet(state: Mapping[str, Tensor]) -> BiSeNet:
    """Build the published parser from its state dict (79999_iter.pth); WeightsError if it is not one."""
    network = BiSeNet()
    load_strictly(network, state)
    return network.eval()


def main_head(network: BiSeNet | None = None) -> BiSeNet:
    """Return the parser (a fresh one by default) without the two heads that only training uses: no file holds them."""
    network = network or BiSeNet()
    for head in ("conv_out16", "conv_out32"):
        network.set_submodule(head, nn.Identity())
    return network
