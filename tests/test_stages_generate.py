"""Generating: one contract for every generator, and colours that survive the way through a network's door."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from faceswap_cli.engines.select import open_network
from faceswap_cli.errors import WeightsError
from faceswap_cli.stages.bundle import _part_of
from faceswap_cli.stages.generate import NetworkGenerator
from faceswap_cli.stages.tensors import to_pixels, to_tensor
from faceswap_cli.types import Crop, Face, Identity

SIZE = 64


def crop(seed: int) -> Crop:
    image = np.random.default_rng(seed).integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
    return Crop(image, np.eye(2, 3), Face(np.zeros(4, np.float32), np.zeros((5, 2), np.float32), 1.0))


def identity(seed: int, space: str = "test-256") -> Identity:
    vector = np.random.default_rng(seed).standard_normal(256).astype(np.float32)
    return Identity(vector / np.linalg.norm(vector), space)


def generator(path: Path, who: Identity) -> NetworkGenerator:
    return NetworkGenerator(open_network(path, "cpu", 1), _part_of(path, "generator").contract, who)


@pytest.mark.parametrize("value_range", ["0..1", "-1..1", "imagenet"])
def test_every_byte_survives_a_range_and_back(value_range: str) -> None:
    images = [np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, axis=2)]
    np.testing.assert_array_equal(to_pixels(to_tensor(images, value_range), value_range)[0], images[0])


def test_tensors_are_rgb_planes_in_the_named_range() -> None:
    red = np.zeros((4, 4, 3), np.uint8)
    red[..., 0] = 255
    tensor = to_tensor([red], "-1..1")
    assert tensor.shape == (1, 3, 4, 4)
    assert tensor[0, :, 0, 0].tolist() == [1, -1, -1]


def test_values_past_the_range_are_clipped_not_wrapped() -> None:
    assert to_pixels(np.full((1, 3, 2, 2), 1.7, np.float32), "0..1")[0].min() == 255
    assert to_pixels(np.full((1, 3, 2, 2), -0.7, np.float32), "0..1")[0].max() == 0


def test_an_unknown_range_is_refused() -> None:
    with pytest.raises(WeightsError, match=r"0\.\.255"):
        to_tensor([np.zeros((2, 2, 3), np.uint8)], "0..255")


def test_a_copying_generator_gives_the_target_back(copying_generator: Path) -> None:
    crops = [crop(seed) for seed in range(3)]
    for given, made in zip(crops, generator(copying_generator, identity(0)).generate(crops, []), strict=True):
        np.testing.assert_array_equal(made, given.image)


def test_the_identity_decides_the_picture(tinting_generator: Path) -> None:
    one, other = (generator(tinting_generator, identity(seed)).generate([crop(0)], [])[0] for seed in (1, 2))
    assert np.abs(one.astype(int) - other).mean() > 1


def test_a_crop_is_swapped_alike_alone_and_in_company(tinting_generator: Path) -> None:
    swap = generator(tinting_generator, identity(1))
    np.testing.assert_array_equal(swap.generate([crop(0)], [])[0], swap.generate([crop(5), crop(0)], [])[1])


def test_no_crops_give_no_pictures(tinting_generator: Path) -> None:
    assert generator(tinting_generator, identity(1)).generate([], []) == []


def test_a_foreign_identity_is_refused(tinting_generator: Path) -> None:
    with pytest.raises(WeightsError, match="arcface-512"):
        generator(tinting_generator, identity(1, "arcface-512"))


def test_a_network_of_another_kind_is_refused(encoder_file: Path, tinting_generator: Path) -> None:
    contract = replace(_part_of(tinting_generator, "generator").contract, file="encoder.onnx")
    with pytest.raises(WeightsError, match=r"encoder\.onnx"):
        NetworkGenerator(open_network(encoder_file, "cpu", 1), contract, identity(1))
