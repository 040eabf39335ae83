"""The recipe: its order, what its steps say of themselves, and that each of its corrections can be left out."""

import hashlib
import sys
from dataclasses import dataclass, fields, replace
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from faceswap_cli.app.swap import recipe_of, swap_image
from faceswap_cli.errors import UsageError
from faceswap_cli.media.photo import read_photo
from faceswap_cli.media.reader import open_clip
from faceswap_cli.options import Options
from faceswap_cli.portrait import recipe as module
from faceswap_cli.portrait.corrections.coverage import Coverage
from faceswap_cli.portrait.finisher import Finisher
from faceswap_cli.portrait.fitter import Fitter
from faceswap_cli.portrait.geometry import fit_pose
from faceswap_cli.portrait.history import History
from faceswap_cli.portrait.open_bundle import OpenBundle
from faceswap_cli.portrait.protocols import Phase
from faceswap_cli.portrait.recipe import RECIPE, Recipe, reach
from faceswap_cli.portrait.records import FaceState, Portrait
from faceswap_cli.portrait.source import Portraitist
from faceswap_cli.stages.align import crop_face
from faceswap_cli.stages.bundle import find_bundle
from faceswap_cli.stages.constants import constants_of
from faceswap_cli.stages.detect import Detect, open_detector
from faceswap_cli.stages.mask import MASKS_BACK
from faceswap_cli.stages.soft import HISTORY
from faceswap_cli.types import Crop

OPTIONS = Options(device="cpu", threads=1)
OBAMA, LAUGH, BEARDED = "face_recognition/obama.jpg", "simswap/mouth_open.jpg", "simswap/Iron_man.jpg"
FRINGE, STILL = "deepface/img8.jpg", "deepface/img7.jpg"
ASTRONAUT, SOFT = "public_domain/astronaut_collins_nasa.png", "roop_target_1080p.mp4"
TURNED, PROFILE, SMILE = (
    "face_recognition/obama2.jpg",
    "edge_liveportrait/s10.jpg",
    "public_domain/astronaut_collins_nasa.png",
)
GLASSES = "../faces/celebahq/images/01a16a82ec1c42cab59a4dda09aab006.jpg"
SEPIA = "../faces/congress/vv_001204/manual.jpg"
# source and target whose swap each correction changes; a clip for what needs earlier frames
CHANGED = {
    "glasses": (GLASSES, OBAMA),
    "lip_colour": (SEPIA, OBAMA),
    "source_beard": (BEARDED, OBAMA),
    "shape": (OBAMA, BEARDED),
    "eyelids": (OBAMA, BEARDED),
    "open_lips": (OBAMA, LAUGH),
    "iris_colour": (OBAMA, BEARDED),
    "own_lips": (OBAMA, STILL),
    "brow": (FRINGE, OBAMA),
    "mirror": (TURNED, OBAMA),
    "close_mouth": (SMILE, STILL),
    "smile_folds": (OBAMA, STILL),
    "sharpness": (ASTRONAUT, SOFT),
    "steadying": (OBAMA, "lp_d14.mp4"),
    "fold_guard": (OBAMA, PROFILE),
    "covers": (OBAMA, PROFILE),
    "beard": (OBAMA, BEARDED),
    "erase_brow": (FRINGE, OBAMA),
    "brow_tone": (OBAMA, BEARDED),
    "one_tone": (OBAMA, SEPIA),
    "grain": (OBAMA, BEARDED),
}


class Bench:
    """The networks, opened once, and what they make of pairs; the warped portrait is the generator's picture."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.detector: Detect = open_detector(None, OPTIONS)
        self.opened = OpenBundle(find_bundle(OPTIONS), OPTIONS)
        self.template, self.size = "simswap-frontal", 448
        self.frames = cache(self.frames)  # type: ignore[method-assign]
        self.crops = cache(self.crops)  # type: ignore[method-assign]
        self.made = cache(self.made)  # type: ignore[method-assign]

    def frames(self, name: str) -> list[np.ndarray]:
        if name.endswith(".mp4"):
            with open_clip(self.data / "clips" / name) as clip:
                return [frame.rgb for frame, _ in zip(clip.frames(), range(2), strict=False)]
        return [read_photo(self.data / "photos" / name).frame.rgb]

    def crops(self, name: str) -> list[Crop]:
        frames = self.frames(name)
        faces = [self.detector.detect(rgb)[0] for rgb in frames]
        cut = [crop_face(rgb, face, self.template, self.size) for rgb, face in zip(frames, faces, strict=True)]
        assert self.opened.parser is not None
        return self.opened.parser.parse_crops(cut)

    def portrait(self, source: str, recipe: Recipe) -> Portrait:
        landmarks = self.opened.landmarks
        assert landmarks is not None
        rgb = read_photo(self.data / "photos" / source).frame.rgb
        return Portraitist(landmarks, self.opened.parser, self.size, recipe).take(rgb, self.detector.detect(rgb)[0])

    def made(self, source: str, target: str, without: tuple[str, ...] = ()) -> str:
        """Digest all that a pair comes to: what the generator sees, and a picture, finished."""
        recipe = RECIPE.without(without)
        assert self.opened.landmarks is not None
        fitter, history = Fitter(self.portrait(source, recipe), self.opened.landmarks, recipe), History()
        for crop, rgb in zip(self.crops(target), self.frames(target), strict=True):
            faces = fitter.fit([crop], history if target.endswith(".mp4") else None, rgb)
            images = Finisher(recipe).finish(faces, [over(face) for face in faces])
            found = b"".join([faces[0].crop.image.tobytes(), faces[0].warped.tobytes(), images[0].tobytes()])
        return hashlib.sha256(found).hexdigest()


def over(face: FaceState) -> np.ndarray:
    share = face.warped[..., 3:].astype(np.float32) / 255
    return np.rint(face.crop.image * (1 - share) + face.warped[..., :3] * share).astype(np.uint8)


@pytest.fixture(scope="module")
def bench(data: Path) -> Bench:
    return Bench(data)


def test_steps_stand_in_the_order_of_their_phases() -> None:
    order = list(Phase)
    places = [order.index(step.phase) for step in RECIPE.steps]
    assert places == sorted(places)
    assert order[:3] == [phase for phase in order if phase.once_per_source]


def test_what_a_step_reads_is_there() -> None:
    seen = {"image", "landmarks", "beard_prob", "class_probs", "valid_mask"}
    for step in RECIPE.steps:
        if step.phase.once_per_source:
            assert set(step.reads) <= seen, step.name
            seen |= set(step.writes)
    made = {"landmarks", "pose", "beard_prob", "image", "frame", *(f"source.{name}" for name in seen)}
    made |= {f"crop.{name}" for name in ("image", "class_probs", "face", "to_crop")}
    defaults = {"closing", "own_lips", "smoothing", "mouth"}  # what is left out counts as not done
    for step in RECIPE.steps:
        if not step.phase.once_per_source:
            assert set(step.reads) <= made | defaults, step.name
            made |= set(step.writes)


def test_what_runs_once_and_what_runs_for_every_frame_are_files_apart() -> None:
    files = [{type(step).__module__ for step in RECIPE.steps if step.phase.once_per_source is once} for once in (0, 1)]
    assert not files[0] & files[1]
    assert all(name.rpartition(".")[2].startswith("source_") for name in files[1])


def test_every_number_of_a_step_is_frozen() -> None:
    for step in RECIPE.steps:
        for record in (step, step.settings):
            assert record.__dataclass_params__.frozen, record


@dataclass(frozen=True)
class Watched(FaceState):
    """A face that notes which of its fields a step reads, and not those that are copied."""

    noted: ClassVar[set[str]] = set()
    names: ClassVar[set[str]] = {field.name for field in fields(FaceState)}

    def __getattribute__(self, name: str) -> Any:
        if name in Watched.names and sys._getframe(1).f_globals["__name__"] != "dataclasses":
            Watched.noted.add(name)
        return object.__getattribute__(self, name)


@pytest.mark.parametrize("pair", [(LAUGH, OBAMA), (OBAMA, LAUGH)])
def test_steps_read_and_write_what_they_declare(bench: Bench, pair: tuple[str, str]) -> None:
    assert bench.opened.landmarks is not None
    source, (crop,) = bench.portrait(pair[0], RECIPE), bench.crops(pair[1])
    (rgb,) = bench.frames(pair[1])
    landmarks, beard = bench.opened.landmarks.find_with_beard(crop.image)
    face = Watched(source, crop, landmarks, beard, fit_pose(landmarks), frame=rgb)
    for step in RECIPE.of_frame(after_generator=False) + RECIPE.of_frame(after_generator=True):
        if step.phase is Phase.FINISH:
            face = replace(face, image=over(face))
        Watched.noted.clear()
        (after,) = step.over([face], History())
        read, written = set(Watched.noted), changed(face, after)
        assert read <= {name.partition(".")[0] for name in step.reads}, step.name
        assert written <= set(step.writes), step.name
        face = after


def changed(before: FaceState, after: FaceState) -> set[str]:
    names = {name for name in Watched.names - {"crop"} if getattr(before, name) is not getattr(after, name)}
    parts = ("image", "class_probs", "to_crop", "face")
    return names | {f"crop.{part}" for part in parts if getattr(before.crop, part) is not getattr(after.crop, part)}


def test_each_correction_is_tried_and_a_page_names_them_in_their_order() -> None:
    assert CHANGED.keys() == set(RECIPE.corrections)
    page = Path(__file__).resolve().parents[1] / "examples" / "swapping.md"
    assert ", ".join(RECIPE.corrections) in " ".join(page.read_text().split())


@pytest.mark.parametrize("name", CHANGED)
def test_each_correction_can_be_left_out_and_changes_something(bench: Bench, name: str) -> None:
    assert bench.made(*CHANGED[name]) != bench.made(*CHANGED[name], (name,))


def test_all_corrections_can_be_left_out_together(bench: Bench) -> None:
    assert bench.made(LAUGH, OBAMA, RECIPE.corrections) != bench.made(LAUGH, OBAMA)


def test_a_name_that_is_none_is_refused_with_those_that_are() -> None:
    with pytest.raises(UsageError, match=r"'pores'.*eyelids.*grain"):
        RECIPE.without(("grain", "pores"))
    with pytest.raises(UsageError, match="'cover'"):  # a step that nothing can be warped without
        RECIPE.without(("cover",))


def test_a_changed_number_makes_another_recipe() -> None:
    wider = replace(Coverage().settings, lashes=0.014)
    steps = tuple(replace(step, settings=wider) if isinstance(step, Coverage) else step for step in RECIPE.steps)
    digests = [RECIPE.digest, Recipe().digest, Recipe(steps).digest, RECIPE.without(("eyelids",)).digest]
    assert digests[0] == digests[1]
    assert len(set(digests)) == 3


@pytest.mark.parametrize(("number", "value"), [("geometry.GAIN", 2.3), ("bending._MOVED", 0.6)])
def test_a_constant_beside_the_steps_makes_another_recipe_too(
    number: str, value: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = RECIPE.digest
    monkeypatch.setattr(f"faceswap_cli.portrait.{number}", value)
    assert RECIPE.digest != before


@pytest.mark.parametrize("learnt", ["mean_face.npz", "five_points.npz"])
def test_other_learnt_numbers_make_another_recipe(learnt: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = RECIPE.digest
    for path in Path(module.__file__).parent.glob("*.npz"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr(module, "__file__", str(tmp_path / "recipe.py"))
    assert RECIPE.digest == before
    (tmp_path / learnt).write_bytes(b"another")
    assert RECIPE.digest != before


def test_constants_are_numbers_and_their_tuples_by_module() -> None:
    found = constants_of("faceswap_cli.portrait")
    assert found["faceswap_cli.portrait.landmarks.MOUTH_CORNERS"] == (58, 62)
    assert found["faceswap_cli.portrait.landmarks.JAW"] == slice(0, 17)
    assert found["faceswap_cli.portrait.corrections.beard._WINGS"] == (35, 33, 31)
    assert "faceswap_cli.portrait.open_bundle._OF_THE_SOURCE" not in found  # words
    assert "faceswap_cli.portrait.recipe.STEPS" not in found


def test_a_clip_made_with_other_corrections_or_numbers_is_not_gone_on_with(
    portrait: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = find_bundle(OPTIONS)
    usual = recipe_of({None: [portrait]}, bundle, OPTIONS)
    with monkeypatch.context() as other:
        other.setattr("faceswap_cli.stages.visible._EYE", 0.4)
        assert recipe_of({None: [portrait]}, bundle, OPTIONS) != usual
    assert recipe_of({None: [portrait]}, bundle, OPTIONS) == usual
    assert recipe_of({None: [portrait]}, bundle, replace(OPTIONS, without=("grain",))) != usual
    planned, named = replace(OPTIONS, plan=Path("tracks.json")), f"like:{portrait}"
    assert recipe_of({None: [portrait]}, bundle, planned) == usual
    assert recipe_of({named: [portrait]}, bundle, planned) != recipe_of({named: [portrait]}, bundle, OPTIONS)
    assert recipe_of({"left": [portrait]}, bundle, planned) == recipe_of({"left": [portrait]}, bundle, OPTIONS)
    wider = replace(Coverage().settings, lashes=0.014)
    steps = tuple(replace(step, settings=wider) if isinstance(step, Coverage) else step for step in module.STEPS)
    monkeypatch.setattr("faceswap_cli.app.swap.RECIPE", Recipe(steps))
    assert recipe_of({None: [portrait]}, bundle, OPTIONS) != usual


def test_a_swap_says_what_was_done_and_what_was_left_out(portrait: Path, data: Path, tmp_path: Path) -> None:
    target = data / "photos" / STILL
    usual, plain = (
        swap_image(portrait, target, tmp_path / f"{number}.png", replace(OPTIONS, without=without))
        for number, without in enumerate([(), ("grain", "smile_folds")])
    )
    assert usual.report["corrections"] == list(RECIPE.corrections)
    assert set(usual.report["corrections"]) - set(plain.report["corrections"]) == {"grain", "smile_folds"}
    assert "without" not in usual.report["options"]
    assert plain.report["options"]["without"] == "grain, smile_folds"
    assert usual.output.read_bytes() != plain.output.read_bytes()


def test_a_wrong_name_ends_before_anything_is_written(portrait: Path, data: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'pores'"):
        swap_image(portrait, data / "photos" / STILL, tmp_path / "out.png", replace(OPTIONS, without=("pores",)))
    assert list(tmp_path.iterdir()) == []


@dataclass(frozen=True)
class Needs:
    """Stands for a step of which only the declarations matter."""

    reads: tuple[str, ...]
    writes: tuple[str, ...]
    history: int = 0


def test_how_far_back_a_frame_depends_is_added_up_along_what_is_read() -> None:
    shape = Needs(("crop.image",), ("crop.image", "crop.class_probs", "landmarks"), 5)
    steady = Needs(("landmarks",), ("landmarks",), 2)
    beard = Needs(("beard_prob",), ("coverage",), 12)
    assert reach([steady, beard], 0) == 12
    assert reach([steady, beard], 16) == 16
    assert reach([shape, steady], 0) == 5 + 2
    assert reach([shape, steady, beard], 4) == 12
    assert reach([shape, steady, beard], 16) == 5 + 16  # the mask is steadied over what the shape moved
    assert reach([steady, Needs(("landmarks",), ("warped",), 3)], 0) == 2 + 3
    assert MASKS_BACK + HISTORY == 16
    # landmarks, the beard by them, brows by what it left covered, and the tone of the crop
    told = 2 + 12 + 12 + 12
    assert RECIPE.shaped(0.0).reach(16) == told
    assert RECIPE.reach(16) == 24 + told
