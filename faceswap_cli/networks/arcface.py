"""ArcFace IR-SE-101: the identity encoder of the published SimSwap generators.

A ResNet of squeeze-and-excitation blocks (100 layers, as trained by foamliu/InsightFace-v2). Input is RGB normalised by
ImageNet's mean and deviation, 112 pixels; the embedding has 512 numbers and is not L2-normalised.
"""

from collections.abc import Mapping

from torch import Tensor, nn

from .injection import join_identity
from .layers import load_strictly


class ArcFace(nn.Module):
    """Map a face (N, 3, 112, 112) to its embedding (N, 512)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.prelu = nn.PReLU()
        self.maxpool = nn.MaxPool2d(2)
        self.layer1 = _layer(64, 64, blocks=3, stride=1)
        self.layer2 = _layer(64, 128, blocks=4, stride=2)
        self.layer3 = _layer(128, 256, blocks=23, stride=2)
        self.layer4 = _layer(256, 512, blocks=3, stride=2)
        self.bn2 = nn.BatchNorm2d(512)
        self.dropout = nn.Dropout()
        self.fc = nn.Linear(512 * 7 * 7, 512)
        self.bn3 = nn.BatchNorm1d(512)

    def forward(self, face: Tensor) -> Tensor:
        """Return embeddings (N, 512), not normalised, of ImageNet-normalised RGB faces (N, 3, 112, 112)."""
        return self.embed(self.last_map(face))

    def last_map(self, face: Tensor) -> Tensor:
        """Return the map (N, 512, 7, 7) that the embedding is made of."""
        return self.dropout(self.bn2(self.layer4(self.layer3(self.early_maps(face)[-1]))))

    def early_maps(self, face: Tensor) -> list[Tensor]:
        """Return maps 55 and 28 pixels wide, of 64 and 128 channels: edges and features rather than persons."""
        fine = self.layer1(self.maxpool(self.prelu(self.bn1(self.conv1(face)))))
        return [fine, self.layer2(fine)]

    def embed(self, last_map: Tensor) -> Tensor:
        """Reduce the last map to the embedding (N, 512)."""
        return self.bn3(self.fc(last_map.flatten(1)))


class ArcFaceWithMap(nn.Module):
    """ArcFace as MobileFaceSwap's published network needs it: embedding and last map in one identity vector."""

    def __init__(self, encoder: ArcFace) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, face: Tensor) -> Tensor:
        """Return identities (N, injection.IDENTITY) of ImageNet-normalised RGB faces (N, 3, 112, 112)."""
        features = self.encoder.last_map(face)
        return join_identity(self.encoder.embed(features), features)


class ResidualBlock(nn.Module):
    """Norm, two 3x3 convolutions, channel attention, and a shortcut; one PReLU serves twice."""

    def __init__(self, incoming: int, outgoing: int, stride: int) -> None:
        super().__init__()
        self.bn0 = nn.BatchNorm2d(incoming)
        self.conv1 = nn.Conv2d(incoming, incoming, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(incoming)
        self.prelu = nn.PReLU()
        self.conv2 = nn.Conv2d(incoming, outgoing, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outgoing)
        self.se = SqueezeExcitation(outgoing)
        self.downsample = None
        if stride != 1 or incoming != outgoing:
            shrink = nn.Conv2d(incoming, outgoing, 1, stride, bias=False)
            self.downsample = nn.Sequential(shrink, nn.BatchNorm2d(outgoing))

    def forward(self, features: Tensor) -> Tensor:
        """Return features (N, outgoing, h / stride, w / stride)."""
        shortcut = features if self.downsample is None else self.downsample(features)
        change = self.prelu(self.bn1(self.conv1(self.bn0(features))))
        change = self.se(self.bn2(self.conv2(change)))
        return self.prelu(change + shortcut)


class SqueezeExcitation(nn.Module):
    """Weigh each channel by what the channels' means say (Hu et al., CVPR 2018)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc = nn.Sequential(nn.Linear(width, width // 16), nn.PReLU(), nn.Linear(width // 16, width), nn.Sigmoid())

    def forward(self, features: Tensor) -> Tensor:
        """Return features of the same shape."""
        weights = self.fc(features.mean((2, 3)))
        return features * weights[:, :, None, None]


def load_arcface(state: Mapping[str, Tensor]) -> ArcFace:
    """Build the encoder from its published state dict; WeightsError if it is not one."""
    encoder = ArcFace()
    load_strictly(encoder, state)
    return encoder.eval()


def _layer(incoming: int, outgoing: int, blocks: int, stride: int) -> nn.Sequential:
    rest = (ResidualBlock(outgoing, outgoing, 1) for _ in range(blocks - 1))
    return nn.Sequential(ResidualBlock(incoming, outgoing, stride), *rest)
