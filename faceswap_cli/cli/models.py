"""`faceswap models list | fetch | verify | import | remove`."""

from dataclasses import asdict
from pathlib import Path
from textwrap import wrap
from typing import Annotated

import typer

from ..errors import UsageError, WeightsError
from ..store import models
from .arguments import AsJson, Quiet, Verbose
from .terminal import Terminal

WIDTH = 100
# heading -> the kinds below it, in the order of the list
GROUPS: dict[str, tuple[models.Kind, ...]] = {
    "What swaps (--model NAME)": ("generator",),
    "What finds faces instead of ours (--face-pack NAME)": ("pack",),
    "What those use": ("encoder", "detector", "parser", "points"),
}

app = typer.Typer(help="Show, fetch, check, import and remove networks.", rich_markup_mode=None)


def fetchable_names() -> list[str]:
    """Return what `fetch` takes."""
    return [each.name for each in models.catalogue().values() if each.fetchable]


def removable_names() -> list[str]:
    """Return what `remove` takes."""
    return [each.name for each in models.catalogue().values() if not each.embedded and models.is_present(each)]


ToFetch = Annotated[
    str,
    typer.Argument(metavar="NAME", help="One that `faceswap models list` calls fetch.", autocompletion=fetchable_names),
]
ToRemove = Annotated[
    str, typer.Argument(metavar="NAME", help="One that was fetched or imported.", autocompletion=removable_names)
]


@app.command("list")
def list_models(as_json: AsJson = False, verbose: Verbose = False, quiet: Quiet = False) -> None:
    """Show every network: what is here, what can be fetched, licence, size, source, cost and quality.

    Size and SHA-256 are those of the file that is here, else those of the published one.
    Multiplications are those of a frame. Quality: retrieval is the share of swaps that a judge finds nearest to their
    source, cosine their mean likeness to it, pose how far heads turned. Compare only what was measured on the same.

    \b
    Example:
      faceswap models list
    """
    rows = [_found(entry) for entry in models.catalogue().values()]
    lines = []
    for heading, kinds in GROUPS.items():
        lines += ["", heading, *(_line(entry, files) for entry, files in rows if entry.kind in kinds)]
    table = [
        asdict(entry)
        | {"here": bool(files), "fetchable": entry.fetchable, "published": entry.published}
        | {"files": [{"path": file.path, "sha256": file.found, "state": file.state} for file in files]}
        for entry, files in rows
    ]
    Terminal(verbose, quiet).result("\n".join(lines[1:]), table, as_json)


@app.command()
def fetch(
    name: ToFetch,
    offline: Annotated[bool, typer.Option("--offline", help="Refuse to touch the network.")] = False,
    as_json: AsJson = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Download a published network, check it and install it; a broken download goes on where it stopped.

    \b
    Example:
      faceswap models fetch buffalo_l
    """
    from ..store.importing import fetch as fetch_entry

    terminal = Terminal(verbose, quiet)
    if name not in models.catalogue():
        raise UsageError(f"unknown model {name!r}: fetch one of {', '.join(fetchable_names())}")
    entry = models.entry(name)
    if offline and not models.is_present(entry):
        raise WeightsError(f"{name} is not here and --offline forbids fetching it: fetch it once without --offline")
    if not models.is_present(entry):
        terminal.note(f"{name}: licence {entry.licence}; from {entry.source}")
        with terminal.progress("MB") as show:
            fetch_entry(entry, lambda done, total: show(done // 1_000_000, total // 1_000_000))
    path = models.locate(name)
    terminal.result(path, {"name": name, "path": path, "licence": entry.licence}, as_json)


@app.command()
def verify(as_json: AsJson = False, verbose: Verbose = False, quiet: Quiet = False) -> None:
    """Compare every network that is here with its SHA-256 (`faceswap verify` looks at photos and clips).

    \b
    Example:
      faceswap models verify
    """
    found = [one for entry in models.catalogue().values() for one in models.check(entry) if one.state != "missing"]
    lines = [f"{one.state:8s}{one.entry:28s}{one.found}  {one.path}" for one in found]
    Terminal(verbose, quiet).result("\n".join(lines), [asdict(one) for one in found], as_json)
    altered = [str(one.path) for one in found if one.state == "altered"]
    if altered:
        raise WeightsError(f"altered: {', '.join(altered)}; fetch or import them again")


@app.command("import")
def import_model(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A published file, an ONNX file, a pack's folder or zip.")
    ],
    name: Annotated[
        str | None, typer.Option("--as", metavar="NAME", help="Name to give it, or the entry it is one of.")
    ] = None,
    half: Annotated[
        bool, typer.Option("--half", help="Store a checkpoint's weights as float16: half the size, no longer exact.")
    ] = False,
    as_json: AsJson = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Install a network from a file you have: checkpoints of SimSwap, MobileFaceSwap, BiSeNet; ONNX; insightface packs.

    Nothing inside the file is run. A checkpoint is turned into ONNX, which needs the [train] extra.

    \b
    Example:
      faceswap models import latest_net_G.pth
    """
    from ..store.importing import import_file

    entry = import_file(file, name, half=half)
    terminal = Terminal(verbose, quiet)
    if entry.published is False:
        terminal.note(f"{file} is not the published file: its SHA-256 is {entry.imported}")
    terminal.note(f"{entry.name}: {entry.kind}; licence {entry.licence}")
    terminal.result(models.locate(entry.name), asdict(entry), as_json)


@app.command()
def remove(name: ToRemove, as_json: AsJson = False, verbose: Verbose = False, quiet: Quiet = False) -> None:
    """Delete a network, or a pack of them, that was fetched or imported.

    \b
    Example:
      faceswap models remove buffalo_l
    """
    folder = models.remove(name)
    terminal = Terminal(verbose, quiet)
    for each in models.catalogue().values():
        if name in (each.encoder, each.points) and models.is_present(each):
            terminal.note(f"{each.name} needs {name}: it swaps no more until that is back")
    terminal.result(folder, {"name": name, "removed": folder}, as_json)


def _found(entry: models.Entry) -> tuple[models.Entry, list[models.Checked]]:
    """Return an entry, as its store describes it where it is installed, and its files, none where it is not here."""
    if not models.is_present(entry):
        return entry, []
    return (entry if entry.embedded else models.installed(entry.name) or entry), list(models.check(entry))


def _place(entry: models.Entry, files: list[models.Checked]) -> str:
    if any(file.state == "altered" for file in files):
        return "ALTERED"
    if files:
        return "embedded" if entry.embedded else "installed"
    if models.entry(entry.name).embedded:
        return "not there yet"
    return "fetch" if entry.fetchable else "import only"


def _line(entry: models.Entry, files: list[models.Checked]) -> str:
    size, digest = entry.bytes, entry.sha256
    if len(files) == 1 and files[0].path.is_file():
        size, digest = files[0].path.stat().st_size, files[0].found
    told = f"{size / 1e6:.1f} MB" if size else "size unknown"
    shown = f"sha256 {digest[:16]}" if digest else "no sha256 known"
    head = f"{entry.name:28s}{entry.kind:11s}{_place(entry, files):14s}{told:>13s}  {shown}"
    exact = "" if entry.published is None else "the published file" if entry.published else "not the published file"
    notes = "; ".join(filter(None, [entry.licence, entry.source, entry.note, exact]))
    figures = "" if entry.published is False else _figures(entry)  # of another file they say nothing
    return "\n".join([head, *(line for detail in (notes, figures) for line in _folded(detail))])


def _figures(entry: models.Entry) -> str:
    """Say what a generator costs and how good it is, as far as that is known."""
    quality = [
        f"retrieval {entry.retrieval} %" if entry.retrieval else "",
        f"cosine {entry.cosine:.3f}" if entry.cosine else "",
        f"pose {entry.pose:.2f} degrees ({entry.measured})" if entry.pose else "",
    ]
    cost = f"{entry.multiplications:.3g} G multiplications" if entry.multiplications else ""
    return "; ".join(filter(None, [cost, ", ".join(filter(None, quality))]))


def _folded(text: str) -> list[str]:
    edge = " " * 4
    return wrap(text, WIDTH, initial_indent=edge, subsequent_indent=edge, break_on_hyphens=False)
