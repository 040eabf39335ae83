"""What `faceswap swap-image` and `faceswap swap-video` take beside Options, written once as typer reads it."""

from dataclasses import dataclass
from pathlib import Path

from .arguments import AsJson, Input, Map, Output, Quiet, Sources, Strict, Verbose, read_sources
from .terminal import Terminal


@dataclass(frozen=True, slots=True, kw_only=True)
class SwapRequest:
    """Who is put in, into what, and what is said of it."""

    source: Sources = None
    map: Map = None
    input: Input
    output: Output = None
    strict: Strict = False
    as_json: AsJson = False
    verbose: Verbose = False
    quiet: Quiet = False

    @property
    def sources(self) -> list[Path] | dict[str, list[Path]]:
        """The photos of the one source, or those of each by whom it is put in for; raises UsageError for neither."""
        return read_sources(self.source, self.map)

    @property
    def terminal(self) -> Terminal:
        """Where the command shows what it does."""
        return Terminal(self.verbose, self.quiet)
