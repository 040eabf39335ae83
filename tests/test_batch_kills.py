"""A batch that is killed again and again does every good clip exactly once: `examples/kill_batch.py`, made small."""

import subprocess
import sys
from pathlib import Path

import pytest

from .test_batch_runner import small_photo

SCRIPT = Path(__file__).resolve().parents[1] / "examples" / "kill_batch.py"


@pytest.mark.slow
def test_killed_at_random_moments_every_good_clip_is_done_once_and_whole(
    tmp_path: Path, portrait: Path, short_clip: Path, tinting_generator: Path, whole_pack: Path
) -> None:
    options = (f"--model={tinting_generator}", f"--face-pack={whole_pack}", "--device=cpu", "--threads=1")
    words = [short_clip, "--source", small_photo(portrait, tmp_path / "me.jpg")]
    words += ["--clips", 8, "--broken", 3, "--frames", 2, "--kills", 4, *(f"--option={option}" for option in options)]
    done = subprocess.run([sys.executable, SCRIPT, *map(str, words)], capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 good, 3 broken" in done.stdout
    assert "every good one exactly once and whole" in done.stdout
