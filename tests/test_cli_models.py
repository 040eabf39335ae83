"""`faceswap models` as typed: fetch over a loopback server, verify, import, list."""

import json
import os
import shutil
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from hashlib import sha256
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch

from faceswap_cli.errors import UsageError
from faceswap_cli.options import Options
from faceswap_cli.stages.bundle import find_bundle

from .test_store_importing import foreign_generator

ROOT = Path(__file__).resolve().parents[1]


class Silent(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A loopback server and the folder it serves."""
    folder = tmp_path_factory.mktemp("served")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Silent, directory=str(folder))) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}", folder
        running.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def checkout(server: tuple[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bare checkout whose catalogue has two packs on the loopback server, one with a wrong digest."""
    url, folder = server
    with zipfile.ZipFile(folder / "small.zip", "w") as archive:
        archive.writestr("small/det.onnx", b"a network")
    tree = tmp_path_factory.mktemp("checkout")
    for name in ("faceswap_cli", "weights"):
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
    digests = {"small": sha256((folder / "small.zip").read_bytes()).hexdigest(), "wrong": "0" * 64}
    with (tree / "weights" / "catalogue.toml").open("a") as catalogue:
        for name, digest in digests.items():
            catalogue.write(
                f'\n[{name}]\nkind = "pack"\nlicence = "for tests only"\nsource = "a loopback server"\n'
                f'official = "{name}.zip"\nurl = "{url}/small.zip"\nsha256 = "{digest}"\n'
            )
    return tree


def models(checkout: Path, home: Path, *words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "faceswap_cli", "models", *map(str, words)]
    environment = os.environ | {"FACESWAP_HOME": str(home)}
    return subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, timeout=120)


def test_a_fetch_says_the_licence_once_and_prints_where_the_pack_is(checkout: Path, tmp_path: Path) -> None:
    first, again = models(checkout, tmp_path, "fetch", "small"), models(checkout, tmp_path, "fetch", "small")
    assert (first.returncode, first.stdout) == (0, f"{tmp_path / 'models' / 'small'}\n")
    assert first.stderr.count("for tests only") == 1
    assert (again.returncode, again.stdout, again.stderr) == (0, first.stdout, "")
    assert not any((tmp_path / "downloads").iterdir())


def test_a_fetched_file_of_another_digest_is_refused_and_not_installed(checkout: Path, tmp_path: Path) -> None:
    done = models(checkout, tmp_path, "fetch", "wrong")
    assert done.returncode == 4
    assert "another file than the catalogue promises" in done.stderr
    assert not (tmp_path / "models").exists()


def test_offline_refuses_to_fetch_and_still_finds_what_is_here(checkout: Path, tmp_path: Path) -> None:
    assert models(checkout, tmp_path, "fetch", "small", "--offline").returncode == 4
    assert models(checkout, tmp_path, "fetch", "small").returncode == 0
    assert models(checkout, tmp_path, "fetch", "small", "--offline").returncode == 0


def test_verify_passes_until_a_file_changes(checkout: Path, tmp_path: Path) -> None:
    models(checkout, tmp_path, "fetch", "small")
    whole = models(checkout, tmp_path, "verify", "--json")
    assert whole.returncode == 0
    assert "small" in {one["entry"] for one in json.loads(whole.stdout) if one["state"] == "ok"}
    (tmp_path / "models" / "small" / "det.onnx").write_bytes(b"A network")
    assert models(checkout, tmp_path, "verify").returncode == 4


def test_an_installed_pack_is_listed_as_such(checkout: Path, tmp_path: Path) -> None:
    def here() -> bool:
        rows = json.loads(models(checkout, tmp_path, "list", "--json").stdout)
        return next(row["here"] for row in rows if row["name"] == "small")

    assert not here()
    models(checkout, tmp_path, "fetch", "small")
    assert here()


def test_what_was_installed_is_removed_and_nothing_else(checkout: Path, tmp_path: Path) -> None:
    models(checkout, tmp_path, "fetch", "small")
    for name, why in (("lite", "a part of faceswap itself"), ("wrong", "it holds small"), ("../models/small", "holds")):
        refused = models(checkout, tmp_path, "remove", name)
        assert (refused.returncode, refused.stdout) == (2, "")
        assert why in refused.stderr
    removed = models(checkout, tmp_path, "remove", "small")
    assert (removed.returncode, removed.stdout) == (0, f"{tmp_path / 'models' / 'small'}\n")
    assert list((tmp_path / "models").iterdir()) == []
    assert "it is empty" in models(checkout, tmp_path, "remove", "small").stderr


def test_a_damaged_entry_can_be_removed(checkout: Path, tmp_path: Path) -> None:
    models(checkout, tmp_path, "fetch", "small")
    (tmp_path / "models" / "small" / "entry.json").write_text("{")
    assert models(checkout, tmp_path, "list").returncode == 4
    assert models(checkout, tmp_path, "remove", "small").returncode == 0
    assert models(checkout, tmp_path, "list").returncode == 0


def test_a_network_of_ones_own_is_called_nobody_elses(checkout: Path, tmp_path: Path) -> None:
    own = ROOT / "weights" / "faces" / "encoder.onnx"
    told = models(checkout, tmp_path, "import", own, "--as", "mine", "--json")
    entry = json.loads(told.stdout)
    assert entry["licence"] == "not stated in the file"
    assert (entry["note"], entry["imported"]) == ("from encoder.onnx", sha256(own.read_bytes()).hexdigest())
    assert "published file" not in told.stderr


def test_what_swaps_is_listed_apart_and_named_where_another_was_given(checkout: Path, tmp_path: Path) -> None:
    shown = models(checkout, tmp_path, "list").stdout
    first = shown.split("\n\n")[0].splitlines()
    assert first[0] == "What swaps (--model NAME)"
    names = [line.split()[0] for line in first[1:] if not line.startswith(" ")]
    rows = json.loads(models(checkout, tmp_path, "list", "--json").stdout)
    assert names == [row["name"] for row in rows if row["kind"] == "generator"]
    assert all(f"\n{row['name']} " in shown for row in rows)
    for given in ("encoder", "nobody"):
        with pytest.raises(UsageError, match=f"{given}.*: choose one of {', '.join(names)}$"):
            find_bundle(Options(model=given))
    assert "fetch one of bisenet, " in models(checkout, tmp_path, "fetch", "nobody").stderr


def test_list_shows_the_file_that_is_there_and_that_it_is_not_the_published_one(checkout: Path, tmp_path: Path) -> None:
    def shown() -> tuple[list[str], str]:
        """The words of the entry's first line, and all below it."""
        lines = (
            models(checkout, tmp_path, "list").stdout.split("\nsimswap-224 ")[1].split("\nsimswap-512 ")[0].splitlines()
        )
        return lines[0].split(), " ".join(line.strip() for line in lines[1:])

    assert shown()[0] == ["generator", "import", "only", "220.2", "MB", "sha256", "24caf144e9aabd5a"]
    assert "92.83" in shown()[1]
    done = models(checkout, tmp_path, "import", foreign_generator(tmp_path / "a.onnx"), "--as", "simswap-224")
    assert "is not the published file" in done.stderr
    here = tmp_path / "models" / "simswap-224" / "simswap_224.onnx"
    digest = sha256(here.read_bytes()).hexdigest()
    head, details = shown()
    assert head == ["generator", "installed", "0.0", "MB", "sha256", digest[:16]]
    assert "not the published file" in details
    assert "92.83" not in details  # a figure of the published one
    rows = json.loads(models(checkout, tmp_path, "list", "--json").stdout)
    (row,) = (each for each in rows if each["name"] == "simswap-224")
    assert row["published"] is False
    assert row["files"] == [{"path": str(here), "sha256": digest, "state": "ok"}]
    here.write_bytes(b"another")
    assert shown()[0][:2] == ["generator", "ALTERED"]


def test_a_hostile_checkpoint_is_refused_in_one_line(checkout: Path, tmp_path: Path) -> None:
    class Hostile:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.system, (f"touch {tmp_path / 'marker'}",)

    torch.save({"weight": Hostile()}, tmp_path / "latest_net_G.pth")
    done = models(checkout, tmp_path, "import", tmp_path / "latest_net_G.pth")
    assert done.returncode == 4
    (line,) = done.stderr.splitlines()
    assert "refused" in line and "system" in line
    assert not (tmp_path / "marker").exists()
