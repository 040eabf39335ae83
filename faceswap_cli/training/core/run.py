"""What every training run shares: its folder, its log, its device, its learning-rate schedule, its end."""

import csv
import json
import math
import random
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from ...errors import OutputError, UsageError
from ...extras import load
from .checkpoint import BEST, LAST, save
from .ending import Ending
from .options import TrainOptions
from .parallel import average_gradients, largest
from .watch import Clock

Network = TypeVar("Network", bound=nn.Module)

LOG_EVERY = 50  # steps between rows of a log
RISE = 200  # steps over which a generator's learning rate rises


class Run:
    """The folder of a run, its log and its clock."""

    def __init__(self, options: TrainOptions) -> None:
        self.folder = options.output
        self.last = self.folder / LAST
        check_free(options)
        try:
            (self.folder / "samples").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{self.folder} cannot be made ({error.strerror}): choose another --output") from error
        self._minutes, self._steps, self._watch = options.minutes, options.steps, options.watch
        self._ending = Ending()
        self._board = _open_board(self.folder) if options.tensorboard else None
        self.start(0, 0)

    def start(self, step: int, batch: int, done: float = 0.0) -> None:
        """Start the clock at a step of so many images, of a run of which a share is done; loading does not count.

        Raises UsageError for a run that is wholly done.
        """
        if done >= 1 if self._steps is None else done > 0 and step >= self._steps:
            raise UsageError(f"the run in {self.folder} is finished: start another with --init-from {self.last}")
        now = time.monotonic()
        self._began, self._done = now, done
        self._mark, self._batch = (now, step), batch
        self._clock = Clock(step, batch)

    @contextmanager
    def steps_from(self, step: int, batch: int, done: float = 0.0) -> Iterator[None]:
        """Start the clock as `start` does; Ctrl-C within waits for the step that is at work, and acts behind the block.

        What the block does behind its last step, such as to keep the run, is done before.
        """
        self.start(step, batch, done)
        with self._ending.behind_a_step():
            yield

    @property
    def broken_off(self) -> bool:
        """Whether somebody asked the run to end."""
        return self._ending.asked

    def out_of_time(self) -> bool:
        """Tell whether the run's minutes are used up, to all workers alike, or somebody asked it to end."""
        if self.broken_off:
            return True
        return self._minutes is not None and largest(time.monotonic() - self._began) >= 60 * self._minutes

    def progress(self, step: int, usual: int) -> float:
        """Return the share of the run that is done, to all workers alike: what sets the learning rate.

        It is that of its steps (`usual` where none are given); of a run that was told its minutes alone, that of its
        minutes: what an earlier start has left is spread over those of this one.
        """
        if self._minutes is None or self._steps is not None:
            return step / (self._steps or usual)
        passed = (time.monotonic() - self._began) / (60 * self._minutes)
        return largest(min(1.0, self._done + (1 - self._done) * passed))

    def images_per_second(self, step: int) -> float:
        """Return the pace since the last call, or since the start; not a number where no step was done since."""
        now = time.monotonic()
        then, before = self._mark
        if step == before:
            return math.nan
        self._mark = (now, step)
        return (step - before) * self._batch / max(now - then, 1e-9)

    def show(self, step: int, share: float, losses: Mapping[str, Tensor | float], usual: int | None = None) -> None:
        """Tell whoever watches how a step went when so much of the run was done, not every one: see `WATCHED_EVERY`.

        `usual` is how many steps there are where neither steps nor minutes were told.
        """
        if self._clock.due():
            steps = self._steps or (usual if self._minutes is None else None)
            told = {name: float(torch.as_tensor(loss).detach()) for name, loss in losses.items()}
            self._watch(self._clock.moment(step, steps, share, told))

    def log(self, row: dict[str, float]) -> None:
        """Append one row to log.csv; the keys of its first row are its columns, whoever goes on with it."""
        path = self.folder / "log.csv"
        columns = _columns_of(path)
        with path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns or list(row), restval="nan", extrasaction="ignore")
            if not columns:
                writer.writeheader()
            writer.writerow({key: f"{value:.5g}" for key, value in row.items()})
        if self._board is not None:
            for name, value in row.items():
                self._board.add_scalar(name, value, int(row["step"]))
            self._board.flush()

    def keep(self, state: dict[str, Any], score: float | None = None) -> None:
        """Write the last checkpoint; where its score is the highest so far, it is the best one, too."""
        save(self.last, state)
        if score is None or not score > self.best().get("score", -math.inf):
            return
        partial = self.folder / f"{BEST}.part"
        shutil.copyfile(self.last, partial)
        partial.replace(self.folder / BEST)
        about = {"step": state["step"], "score": round(score, 5)}
        (self.folder / BEST).with_suffix(".json").write_text(json.dumps(about) + "\n")

    def best(self) -> dict[str, float]:
        """Return step and score of the best checkpoint, nothing where there is none."""
        return best_of(self.folder)


def check_free(options: TrainOptions) -> None:
    """Raise OutputError where a run that is not to go on lies in the folder of a run."""
    if (options.output / LAST).exists() and not options.resume:
        raise OutputError(f"{options.output} already holds a run: give --resume to go on or another --output")


def best_of(folder: Path) -> dict[str, float]:
    """Return step and score of the best checkpoint of a run, nothing where there is none."""
    about = (folder / BEST).with_suffix(".json")
    return json.loads(about.read_text()) if about.is_file() and (folder / BEST).is_file() else {}


def logs(step: int, save_every: int) -> bool:
    """Tell whether a step has a row in the log: the first, every so many, and all that are saved."""
    return step == 1 or step % LOG_EVERY == 0 or step % save_every == 0


def _columns_of(path: Path) -> list[str]:
    """Return the columns of a log, none where it does not exist."""
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return next(csv.reader(file), [])


def _open_board(folder: Path) -> Any:
    """Return what writes TensorBoard's events; raise UsageError where the extra is missing."""
    return load("torch.utils.tensorboard").SummaryWriter(folder / "tensorboard")


def start_torch(options: TrainOptions) -> torch.device:
    """Seed everything, set the threads and return the device a run is told to use."""
    random.seed(options.seed)
    torch.manual_seed(options.seed)
    torch.set_flush_denormal(True)  # activations near zero are denormal numbers, which CPUs multiply slowly
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    return device_of(options)


def device_of(options: TrainOptions) -> torch.device:
    """Return the device a run is told to use; raise UsageError where it is told one that is not there."""
    cuda = torch.cuda.is_available()
    if options.device == "cuda" and not cuda:
        raise UsageError("--device cuda, but torch sees no CUDA device: use --device cpu or install torch's CUDA build")
    return torch.device("cuda" if cuda and options.device != "cpu" else "cpu")


def seed_step(options: TrainOptions, worker: int, step: int) -> None:
    """Seed torch for one step of one worker.

    Every step has its own seeds, so that a run goes on exactly whoever writes the checkpoint; every worker has its own,
    so that none repeats what another draws.
    """
    entropy = (options.seed, worker, step)
    torch.manual_seed(int(np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0]))


def draws_of(seed: int, worker: int, step: int) -> np.random.Generator:
    """Return what one step of one worker draws its rows with, whoever reads them and when."""
    return np.random.default_rng((seed, worker, step))


def channels_last(network: Network) -> Network:
    """Order the weights as convolutions run fastest with, in place."""
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub lacks the word
    return network


def autocast(device: torch.device) -> torch.autocast:
    """Compute convolutions in bfloat16 where the device can: twice as fast, no loss scaling needed.

    On a CPU without it (neither AVX-512 BF16 nor AMX) it is imitated, at a third of the speed of float32.
    """
    can = device.type != "cpu" or torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return torch.autocast(device.type, torch.bfloat16, enabled=can)


def cosine_rate(step: int, steps: int, warm_up: int) -> float:
    """Return the learning rate's factor: linear to 1 over `warm_up` steps, then a cosine to 0.01 at `steps`."""
    if step < warm_up:
        return (step + 1) / warm_up
    share = min(1.0, (step - warm_up) / max(1, steps - warm_up))
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * share))


def rate_factor(step: int, progress: float) -> float:
    """Return the learning rate's factor: a cosine from 1 to 0.01 over the run, below a line that rises at its start."""
    return min((step + 1) / RISE, 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, progress))))


def share_done(options: TrainOptions, step: int, steps: int, minutes: float, before: float) -> float:
    """Return the share of a run that is done: by steps, or by the minutes of this start, whichever is further."""
    if options.minutes is None:
        return step / steps
    by_time = before + (1 - before) * minutes / options.minutes
    return max(by_time, step / options.steps) if options.steps else by_time


def set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Set the learning rate of every group."""
    for group in optimiser.param_groups:
        group["lr"] = rate


def descend(losses: dict[str, Tensor], network: nn.Module, optimiser: torch.optim.Optimizer) -> None:
    """Take one step down the sum of the losses, with gradients averaged over the workers and clipped."""
    optimiser.zero_grad(set_to_none=True)
    torch.stack([loss.float() for loss in losses.values()]).sum().backward()
    average_gradients(network)
    nn.utils.clip_grad_norm_(network.parameters(), 5.0)
    optimiser.step()


@torch.no_grad()
def update_average(average: nn.Module, network: nn.Module, decay: float) -> None:
    """Move an exponential moving average of the parameters one step; buffers are copied."""
    for mean, value in zip(average.parameters(), network.parameters(), strict=True):
        mean.lerp_(value.detach(), 1 - decay)
    for kept, buffer in zip(average.buffers(), network.buffers(), strict=True):
        kept.copy_(buffer)


class Means:
    """The means of named losses over the steps between two rows of a log.

    A loss that only some steps have (reconstruction: those of one person) is the mean of those.
    """

    def __init__(self, names: tuple[str, ...]) -> None:
        self._names = names
        self._sums: dict[str, tuple[Tensor, int]] = {}

    def add(self, losses: dict[str, Tensor]) -> None:
        """Count a step's losses; nothing is computed on the spot, a GPU is not waited for."""
        for name, loss in losses.items():
            total, count = self._sums.get(name, (torch.zeros_like(loss.detach()), 0))
            self._sums[name] = total + loss.detach(), count + 1

    def take(self) -> dict[str, float]:
        """Return every name's mean, not a number where no step had one, and begin anew."""
        sums, self._sums = self._sums, {}
        return {name: float(sums[name][0]) / sums[name][1] if name in sums else math.nan for name in self._names}
