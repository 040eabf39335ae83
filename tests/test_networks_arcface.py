import numpy as np
import pytest
import torch

from faceswap_cli.errors import WeightsError
from faceswap_cli.networks.arcface import ArcFace, load_arcface

from .golden import recipes

HEADLINE_NORM = {"A": 0.460823, "B": 92.00829}


@pytest.fixture(scope="module", params=["A", "B"])
def embedded(request):
    golden = recipes.arrays("arcface")
    names = [str(name) for name in golden[f"stage_names_{request.param}"]]
    network = recipes.fill(ArcFace(), request.param)
    embedding, stages = recipes.run_watched(network, names, recipes.imagenet_image(112))
    return request.param, embedding, stages, golden


def test_keys_and_shapes_are_the_published_ones():
    with torch.device("meta"):
        assert recipes.keys_of(ArcFace()) == recipes.published_keys("arcface")


def test_the_embedding_equals_the_official_one(embedded):
    recipe, embedding, _, golden = embedded
    recipes.assert_close(embedding, golden[f"emb_{recipe}"])
    assert np.linalg.norm(embedding) == pytest.approx(HEADLINE_NORM[recipe], rel=1e-5)


def test_every_stage_equals_the_official_one(embedded):
    recipe, _, stages, golden = embedded
    recipes.assert_close([stage.mean() for stage in stages], golden[f"stage_mean_{recipe}"])
    recipes.assert_close([stage.std(correction=0) for stage in stages], golden[f"stage_std_{recipe}"])


def test_another_file_is_refused_by_the_name_of_what_is_missing():
    state = ArcFace().state_dict()
    del state["fc.weight"]
    with pytest.raises(WeightsError, match=r"1 \(fc\.weight\) missing"):
        load_arcface(state)
    with pytest.raises(WeightsError, match=r"1 \(fc\.weight\) of another shape"):
        load_arcface({**state, "fc.weight": torch.zeros(512, 512)})
