"""Everything that can go wrong for a user, one class and one exit code each.

A message says what happened, the value seen and what to do next, in one or two lines. Library code raises these;
only the command line prints them and exits.
"""


def told(error: BaseException) -> str:
    """Give an error's message and the notes added on its way."""
    return "; ".join([str(error), *getattr(error, "__notes__", [])])


class FaceSwapError(Exception):
    """The root of all errors meant for the user; raised itself only for a bug of ours."""

    exit_code = 1


class UsageError(FaceSwapError, ValueError):
    """An option or argument that cannot be meant: wrong kind of file, impossible value."""

    exit_code = 2


class NoFaceError(FaceSwapError):
    """No usable face in the source, or none anywhere in the input."""

    exit_code = 3


class WeightsError(FaceSwapError):
    """Weights that are missing, altered, or not what their catalogue entry promises."""

    exit_code = 4


class MediaError(FaceSwapError):
    """A photo or clip that cannot be read."""

    exit_code = 5


class CtrlCError(FaceSwapError):
    """Ctrl-C, on its way through the command line; the library itself raises KeyboardInterrupt."""

    exit_code = 130


class LeftError(FaceSwapError):
    """A result that is written, in which somebody in sight was not swapped or no swap took (`--strict`)."""

    exit_code = 7


class OutputError(FaceSwapError, OSError):
    """A result that cannot be written: missing folder, existing file, full disk."""

    exit_code = 6
