"""Train the face parser on pictures with class maps, from nothing.

Cross entropy finds the classes, soft dice (Milletari et al. 2016) keeps the small ones alive. What is kept is a moving
average of the weights. `options.teacher` is a YuNet, which says where the crop lies; the classes come from the masks.
"""

import json
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ...errors import UsageError
from ...networks.export import Signature, read_metadata, read_state_dict, write_onnx
from ...networks.parsing import CLASSES, ParseNet, ParseNetConfig
from ...stages.parse import FACE_CLASSES, GLASSES, HAIR
from ..core.averaged import Averaged, begin, fields_of
from ..core.checkpoint import load
from ..core.options import TrainOptions
from ..core.run import Run, autocast, start_torch
from ..core.sheets import in_rows, write_sheet
from ..data.eyewear import wear_glasses
from ..data.face_set import to_tensor
from ..data.labels import colourise
from ..data.occluders import face_free_pictures
from .loop import Task, Usual, teach, write_scores
from .parser_data import (
    TEMPLATE,
    CropSettings,
    LabelledFaces,
    cover,
    load_labelled,
    plain_crop,
    sampling_weights,
    split_people,
    training_crop,
)

USUAL, SIZE = Usual(steps=4000, batch=16, rate=2e-3), 160
WIDTHS, BLOCKS, HEAD_WIDTH = (24, 64, 128, 160), (1, 2, 2), 48
AVERAGE_DECAY = 0.995
DICE_WEIGHT = 0.5
SWAP = (*FACE_CLASSES, 7, 8, 14)  # what a swap replaces, and what its border meets: ears, neck
SKIN = 1


@dataclass(frozen=True, slots=True)
class ParserScores:
    """How well a parser labels held-out people; each from 0 to 1."""

    iou: dict[str, float]  # intersection over union per class; nan where neither truth nor answer has it
    swap_iou: float  # mean over the 13 classes of SWAP
    mean_iou: float  # mean over all classes present
    face_iou: float  # all of FACE_CLASSES as one region
    occluded_face_iou: float  # the same, with a drawn occluder before each face
    drawn_glasses_iou: float  # the class of glasses, with drawn ones on every face
    skin_f1: float
    hair_f1: float

    def table(self) -> str:
        """Return one line per class and measure."""
        whole = {name: getattr(self, name) for name in self.__slots__ if name != "iou"}
        return "\n".join(f"{name:<18} {value:.4f}" for name, value in {**self.iou, **whole}.items())


def train(options: TrainOptions) -> ParserScores:
    """Train until the steps or the minutes are used up, then measure on people never trained on."""
    if options.teacher is None:
        raise UsageError("the parser needs --teacher FILE: a YuNet that finds the five points the crops are made from")
    run = Run(options)
    device = start_torch(options)
    faces = load_labelled(options.data, options.teacher, options.output / "pictures.npz")
    learn, held_out = split_people(faces.people)
    state = _start(options, device)
    return teach(ParserTask(state, faces.take(learn), faces.take(held_out), options.seed), run, options)


@dataclass(slots=True, eq=False)
class ParserTask(Task[tuple[Tensor, Tensor], ParserScores]):
    """Tell the class of every pixel of a face's crop."""

    state: Averaged[ParseNet]
    faces: LabelledFaces
    held_out: LabelledFaces
    seed: int
    kind: str = "parser"
    usual: Usual = USUAL

    def draw(self, count: int, step: int) -> Generator[tuple[Tensor, Tensor], None, None]:
        """Yield images (B, 3, S, S) in [0, 1] and classes (B, S, S)."""
        settings = CropSettings(size=self.state.network.config.size)
        weights, textures = sampling_weights(self.faces.labels), face_free_pictures()

        def crop(seed: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
            rng = np.random.default_rng(seed)
            return training_crop(self.faces, int(rng.choice(len(weights), p=weights)), settings, rng, textures)

        with ThreadPoolExecutor(torch.get_num_threads()) as pool:
            while True:
                crops = pool.map(crop, [(self.seed, step, place) for place in range(count)])
                images, labels = zip(*crops, strict=True)
                yield to_tensor(np.stack(images)), torch.from_numpy(np.stack(labels)).long()
                step += 1

    def loss(self, batch: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
        """Return the losses of `parser_loss`, weighted."""
        network = self.state.network
        images, labels = (part.to(next(network.parameters()).device) for part in batch)
        network.train()
        with autocast(images.device):
            logits = network(images)
        losses = parser_loss(logits, labels)
        return losses | {"dice": DICE_WEIGHT * losses["dice"]}

    def write(self, sheet: Path) -> None:
        """Show picture, truth and answer for some held-out people, the second half of them with an occluder."""
        textures, cells = face_free_pictures(), []
        for row in range(min(24, len(self.held_out.names))):
            image, label = plain_crop(self.held_out, row, self.state.network.config.size)
            if row >= 12:
                image, label = cover(image, label, np.random.default_rng(row), textures)
            cells.append(np.hstack([image, colourise(label), colourise(predict(self.state.average, image))]))
        write_sheet(sheet, in_rows(cells, 4))

    def measure(self, folder: Path, sheet: Path) -> ParserScores:
        """Measure on the people held out; leave `parser.onnx`."""
        write_parser(self.state.average, folder / "parser.onnx")
        scores = evaluate(self.state.average, self.held_out)
        write_scores(folder, asdict(scores))
        return scores


def evaluate(network: ParseNet, faces: LabelledFaces) -> ParserScores:
    """Measure a parser on plain crops of every picture given, counting all pixels together."""
    clear, occluded, worn = np.zeros((3, len(CLASSES), len(CLASSES)), np.int64)
    textures = face_free_pictures()
    for row in range(len(faces.names)):
        image, label = plain_crop(faces, row, network.config.size)
        clear += _confusion(label, predict(network, image))
        glasses, glasses_label = wear_glasses(image, label, np.random.default_rng(row))
        worn += _confusion(glasses_label, predict(network, glasses))
        image, label = cover(image, label, np.random.default_rng(row), textures)
        occluded += _confusion(label, predict(network, image))
    with np.errstate(invalid="ignore"):
        iou = _iou(clear)
        f1 = 2 * np.diag(clear) / (clear.sum(0) + clear.sum(1))
    return ParserScores(
        iou=dict(zip(CLASSES, map(float, iou), strict=True)),
        swap_iou=float(np.nanmean(iou[list(SWAP)])),
        mean_iou=float(np.nanmean(iou)),
        face_iou=_region_iou(clear),
        occluded_face_iou=_region_iou(occluded),
        drawn_glasses_iou=float(_iou(worn)[GLASSES]),
        skin_f1=float(f1[SKIN]),
        hair_f1=float(f1[HAIR]),
    )


@torch.inference_mode()
def predict(network: ParseNet, image: np.ndarray) -> np.ndarray:
    """Return the class map (S, S) uint8 of one crop (S, S, 3) uint8."""
    network.eval()
    device = next(network.parameters()).device
    return network(to_tensor(image[None]).to(device)).argmax(1)[0].to(torch.uint8).cpu().numpy()


def write_parser(network: ParseNet, path: Path) -> None:
    """Write the ONNX the swapper uses: `image` (N, 3, S, S) in, `logits` (N, 19, S, S) out."""
    size = network.config.size
    metadata = {
        "network": "parsenet",
        "configuration": json.dumps(asdict(network.config)),
        "size": str(size),
        "template": TEMPLATE,
        "input_range": "0..1",
        "classes": ",".join(CLASSES),
    }
    write_onnx(network, {"image": torch.rand(1, 3, size, size)}, path, metadata, Signature(("logits",)))


def read_parser(path: Path) -> ParseNet:
    """Return the network of an ONNX file made by `write_parser`, or the average of a run's checkpoint, in eval mode."""
    if path.suffix == ".onnx":
        return build_parser(json.loads(read_metadata(path)["configuration"]), read_state_dict(path))
    kept = load(path)
    return build_parser(kept["configuration"], kept["average"])


def build_parser(configuration: dict[str, Any], weights: dict[str, Tensor]) -> ParseNet:
    """Return the network of a configuration with its weights, in eval mode."""
    network = ParseNet(ParseNetConfig(**fields_of(configuration)))
    network.load_state_dict(weights)
    return network.eval()


def parser_loss(logits: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """Return cross entropy and soft dice of logits (N, C, S, S) against classes (N, S, S) int64."""
    # one row per pixel: softmax over the last axis is several times faster on a CPU than over channels
    rows = logits.float().permute(0, 2, 3, 1).reshape(-1, logits.shape[1])
    wanted = labels.reshape(-1)
    log_share = functional.log_softmax(rows, dim=1)
    share = log_share.exp()
    right = share.gather(1, wanted[:, None])[:, 0]
    overlap = torch.zeros_like(share[0]).index_add(0, wanted, right)
    counts = torch.bincount(wanted, minlength=rows.shape[1])
    dice = (2 * overlap + 1) / (share.sum(0) + counts + 1)
    return {"cross_entropy": functional.nll_loss(log_share, wanted), "dice": 1 - dice[counts > 0].mean()}


def _start(options: TrainOptions, device: torch.device) -> Averaged[ParseNet]:
    if options.init_from is not None:
        network = read_parser(options.init_from)
    else:
        network = ParseNet(ParseNetConfig(options.size or SIZE, WIDTHS, BLOCKS, HEAD_WIDTH))
    return begin(network, device, AVERAGE_DECAY)


def _confusion(truth: np.ndarray, answer: np.ndarray) -> np.ndarray:
    """Count pixels by (truth, answer)."""
    pairs = truth.astype(np.int64) * len(CLASSES) + answer
    return np.bincount(pairs.ravel(), minlength=len(CLASSES) ** 2).reshape(len(CLASSES), len(CLASSES))


def _iou(confusion: np.ndarray) -> np.ndarray:
    """Return the intersection over union of each class; nan where neither truth nor answer has it."""
    hits = np.diag(confusion)
    with np.errstate(invalid="ignore"):
        shares: np.ndarray = hits / (confusion.sum(0) + confusion.sum(1) - hits)
    return shares


def _region_iou(confusion: np.ndarray) -> float:
    face = np.isin(np.arange(len(CLASSES)), FACE_CLASSES)
    both = confusion[np.ix_(face, face)].sum()
    return float(both / (confusion[face].sum() + confusion[:, face].sum() - both))
