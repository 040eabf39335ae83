"""Judge how steady the parser's mask is on clips, beside the five points it hangs on.

    python examples/judge_mask.py CLIP ... [--model lite] [--frames 120]

The largest face of each clip is located, followed and parsed as a swap does it, at the swap's crop and softening.
Printed, all in thousandths of the distance of the eyes: the mean absolute second difference over time of the mask's
0.5 edge along 32 rays, as a clip's masks are steadied, each by itself, and of an oval; of the points as they were
found, and as they were steadied.
"""

import argparse
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from faceswap_cli.engines.select import open_network
from faceswap_cli.evaluation.boundary import edge_tremble, points_tremble
from faceswap_cli.media.reader import open_clip
from faceswap_cli.options import Options
from faceswap_cli.portrait.history import History
from faceswap_cli.stages.align import crop_face
from faceswap_cli.stages.bundle import find_bundle
from faceswap_cli.stages.detect import open_detector
from faceswap_cli.stages.mask import OvalMask, ParsedMask
from faceswap_cli.stages.parse import Parser
from faceswap_cli.stages.track import Track
from faceswap_cli.stages.watch import Watch
from faceswap_cli.types import Crop, Face, Frame


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path, nargs="+")
    parser.add_argument("--model", default="lite")
    parser.add_argument("--frames", type=int, default=120)
    options = parser.parse_args()
    judge = Judge(Options(model=options.model))
    for clip in options.clips:
        print(f"{clip.name}: {judge.measure(clip, options.frames)}", flush=True)


@dataclass(frozen=True, slots=True)
class Figures:
    """How much edge and points tremble, in thousandths of the distance of the eyes."""

    frames: int
    edge: float  # of the parser's masks as a clip gets them
    edge_alone: float  # each mask by itself
    oval: float
    points_found: float
    points: float  # as they were steadied

    def __str__(self) -> str:
        return (
            f"{self.frames} frames; edge {self.edge:.1f} ({self.edge_alone:.1f} each by itself, "
            f"an oval's {self.oval:.1f}); "
            f"points {self.points_found:.1f} as found, {self.points:.1f} steadied"
        )


class Judge:
    """Locates, follows and masks a face as the pipeline does."""

    def __init__(self, options: Options) -> None:
        bundle = find_bundle(options)
        assert bundle.parser is not None, "the parser is part of the package"
        contract = bundle.generator.contract
        self._crop = (contract.template, contract.size)
        self._detector = open_detector(None, options)
        network = open_network(bundle.parser.path, options.device, options.threads)
        self._parser = Parser(network, bundle.parser.contract)
        glasses = bundle.points is not None  # as portrait/open_bundle.py decides
        self._parsed = ParsedMask(options.mask_blur, keeps_glasses=glasses)
        self._oval = OvalMask(options.mask_blur)

    def measure(self, path: Path, frames: int) -> Figures:
        """Return the figures of a clip's frames, until its face is lost."""
        found: dict[int, list[Face]] = {}
        crops: list[Crop] = []
        raw: list[Face] = []
        with open_clip(path) as clip:
            for located in Track(1).follow(self._sightings(islice(clip.frames(), frames), found)):
                if not located.faces or not found[located.frame.index]:
                    break
                crops.append(crop_face(located.frame.rgb, located.faces[0], *self._crop))
                raw.append(found[located.frame.index][0])
        crops, history = self._parser.parse_crops(crops), History()
        return Figures(
            frames=len(crops),
            edge=edge_tremble(crops, [self._parsed.mask([crop], history)[0] for crop in crops]),
            edge_alone=edge_tremble(crops, self._parsed.mask(crops)),
            oval=edge_tremble(crops, self._oval.mask(crops)),
            points_found=points_tremble(raw),
            points=points_tremble([crop.face for crop in crops]),
        )

    def _sightings(self, frames: Iterable[Frame], found: dict[int, list[Face]]) -> Iterator[tuple[Frame, list[Face]]]:
        watch = Watch(self._detector)
        for frame in frames:
            found[frame.index] = watch.find(frame.rgb)
            yield frame, found[frame.index]


if __name__ == "__main__":
    main()
