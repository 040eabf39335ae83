"""Follow eight people for minutes, without swapping: memory, what telling them by their looks costs, and mistakes.

    python examples/long_crowd.py DATA [--minutes 10] [--rate 5] [--output FOLDER]

A clip is made of portraits of people no training saw: two rows that pass each other, behind one another and out of the
picture, and a cut every minute. Its plan of tracks is held against what is known of every frame. A track is a person's
for as long as it stays with them; who was wholly out of sight may be a new one.
"""

import argparse
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import av
import cv2
import numpy as np

from faceswap_cli import Options, find_tracks
from faceswap_cli.evaluation.splits import photos_by_person
from faceswap_cli.media.photo import read_photo
from faceswap_cli.parts.plan_file import TrackPlan
from faceswap_cli.stages import bridge, numbering, track
from faceswap_cli.stages.detect import open_detector
from faceswap_cli.types import Face

WIDTH, HEIGHT, TALL = 480, 270, 112  # pixels of the picture, and of a portrait, whose face is 45 to 60 wide
PEOPLE, ROWS = 8, 2
CUT_EVERY = 60.0  # seconds
SEEN, HIDDEN = 0.9, 0.3  # shares of a face in sight from which it is to be found, and below which it need not be
NEAR = 0.5  # of a face's width that a box may be beside it and still be of it

There = dict[int, tuple[np.ndarray, float, float]]  # by person: middle (2,), width, share in sight


class Stopwatch:
    """Adds up how long calls of a function take, wherever modules call it by its name."""

    def __init__(self, name: str, modules: Iterable[ModuleType]) -> None:
        self.seconds, self.calls = 0.0, 0
        for module in modules:
            setattr(module, name, self._timed(getattr(module, name)))

    def _timed(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*arguments: Any) -> Any:
            begun = time.thread_time()
            try:
                return function(*arguments)
            finally:
                self.seconds, self.calls = self.seconds + time.thread_time() - begun, self.calls + 1

        return timed


def main() -> None:
    """Make the clip, follow everybody, print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--rate", type=int, default=5, help="frames a second")
    parser.add_argument("--output", type=Path, default=Path("long_crowd"), help="folder of the clip and its plan")
    given = parser.parse_args()
    given.output.mkdir(parents=True, exist_ok=True)
    clip, frames = given.output / "crowd.mp4", round(60 * given.minutes * given.rate)
    truth = make_clip(clip, given.data, frames, given.rate)
    looks = Stopwatch("look_of", (numbering, track, bridge))
    options = Options(device="cpu", threads=1, faces="all", plan=given.output / "tracks.json", force=True)
    source, begun, memory = given.data / "photos" / "face_recognition" / "obama.jpg", time.process_time(), list[float]()
    plan = find_tracks(source, clip, options, lambda done, _: note(memory, done, given.rate))
    seconds = time.process_time() - begun
    print(f"memory by minute, MiB: {' '.join(f'{each:.0f}' for each in memory)}")
    print(f"{1000 * seconds / frames:.1f} ms of CPU a frame, of them {1000 * looks.seconds / frames:.2f} for looks")
    print(f"({looks.calls / frames:.1f} looks a frame, {looks.seconds / seconds:.1%} of all)")
    judge(plan, truth)


def note(memory: list[float], done: int, rate: int) -> None:
    """Note the process's memory once a minute of the clip, in MiB."""
    if done % (60 * rate) == 0:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        memory.append(pages * 4096 / 2**20)


def make_clip(path: Path, data: Path, frames: int, rate: int) -> list[There]:
    """Write the clip, and return who is where in each frame."""
    people = list(portraits(data))
    truth = []
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate, options={"crf": "16", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for index in range(frames):
            rgb, there = picture(people, index / rate)
            truth.append(there)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(rgb, format="rgb24")))
        container.mux(stream.encode(None))
    return truth


def portraits(data: Path) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the portrait of each person, and the box (4,) of their face in it."""
    detector = open_detector(None, Options(device="cpu", threads=1))
    everybody = photos_by_person(data / "faces" / "congress", ".", ("tuning", "reporting"))
    for _, photos in sorted(everybody.items())[:: len(everybody) // PEOPLE][:PEOPLE]:
        rgb = read_photo(photos[0]).frame.rgb
        small = cv2.resize(rgb, (round(rgb.shape[1] * TALL / rgb.shape[0]), TALL), interpolation=cv2.INTER_AREA)
        yield small, detector.search(small)[0].box


def picture(people: list[tuple[np.ndarray, np.ndarray]], seconds: float) -> tuple[np.ndarray, There]:
    """Return what is to be seen at a time, and who is where."""
    shot = int(seconds / CUT_EVERY)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    wall = (columns // 40 + rows // 30) % 2 * 18 + 50 + 35 * (shot % 4)
    canvas = np.dstack([wall, wall + 15, wall + 30 * (shot % 2)]).astype(np.uint8)
    owners, places = np.full((HEIGHT, WIDTH), -1), [place(number, seconds, shot) for number in range(len(people))]
    for number, (x, y) in enumerate(places):
        face = people[number][0]
        x0, x1 = max(0, x), min(WIDTH, x + face.shape[1])
        if x1 > x0:
            canvas[y : y + TALL, x0:x1] = face[:, x0 - x : x1 - x]
            owners[y : y + TALL, x0:x1] = number
    return canvas, {number: seen(owners, people[number][1], places[number], number) for number in range(len(people))}


def place(number: int, seconds: float, shot: int) -> tuple[int, int]:
    """Return the left and upper edge of somebody's portrait: they walk to and fro, at a pace of their own."""
    lap, begun = 24.0 + 3.1 * number, 0.37 * number + 0.21 * shot  # seconds, and laps
    x = WIDTH / 2 - 42 + 0.62 * WIDTH * np.sin(2 * np.pi * (seconds / lap + begun))
    y = 12 + number % ROWS * 134 + 8 * np.sin(seconds + number)
    return round(float(x)), round(float(y))


def seen(owners: np.ndarray, box: np.ndarray, place: tuple[int, int], number: int) -> tuple[np.ndarray, float, float]:
    """Return where a face is, how wide, and how much of it is in sight."""
    x0, y0, x1, y1 = np.rint(box + np.array([*place, *place])).astype(int)
    mine = owners[max(0, y0) : max(0, y1), max(0, x0) : max(0, x1)] == number
    return np.array([x0 + x1, y0 + y1]) / 2, float(x1 - x0), float(mine.sum() / ((x1 - x0) * (y1 - y0)))


def judge(plan: TrackPlan, truth: list[There]) -> None:
    """Print how many of those in sight were found, how often a track went over to another, how many tracks one has."""
    ways, found, wanted, nobody = defaultdict[int, list[int]](list), 0, 0, 0
    for planned in plan.frames():
        there, here = truth[planned.index], set[int]()
        for face in (*planned.chosen, *planned.others):
            whose = lies_on(face, there)
            nobody += whose is None
            if whose is not None:
                here.add(whose)
                ways[face.track].append(whose)
        in_sight = {number for number, (_, _, share) in there.items() if share >= SEEN}
        found, wanted = found + len(here & in_sight), wanted + len(in_sight)
    switches = sum(one != other for way in ways.values() for one, other in pairwise(way))
    print(f"{found} of {wanted} faces in sight found ({found / wanted:.1%}), {nobody} where nobody is in sight")
    print(f"{switches} switches in {sum(map(len, ways.values()))} sightings of {len(ways)} tracks of {PEOPLE} people")


def lies_on(face: Face, there: There) -> int | None:
    """Return whose face one is: of whoever is in sight nearest to it."""
    middle = (face.box[:2] + face.box[2:]) / 2
    in_sight = {number: (at, width) for number, (at, width, share) in there.items() if share > HIDDEN}
    away = {number: float(np.linalg.norm(at - middle)) / width for number, (at, width) in in_sight.items()}
    nearest = min(away, key=lambda number: away[number], default=None)
    return nearest if nearest is not None and away[nearest] < NEAR else None


if __name__ == "__main__":
    main()
