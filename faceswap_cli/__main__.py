"""The door of the command line: run a command, turn whatever went wrong into one line and an exit code.

0 done, 1 our bug, 2 usage, 3 no face, 4 weights, 5 unreadable media, 6 output, 7 somebody left (`--strict`), 130
interrupted.
"""

import os
import sys
import traceback
import warnings

from .errors import FaceSwapError, told

BUG, INTERRUPTED = 1, 130
# What warns of metadata that is a little broken, and torch's exporter, which warns of itself: no news to a user.
QUIET = r"PIL|pillow_heif|torch\.(onnx|export|fx|_export)|onnxscript|copyreg"
ISSUES = "run it again with -v and send us what it prints, with the command you typed"


def main() -> int:
    """Run the command in sys.argv and return its exit code."""
    warnings.filterwarnings("ignore", module=QUIET)
    # numpy's products are small, and its threads spin while they wait: on busy cores one took 0.7 ms of them, not 0.03.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        from .cli.app import run
        from .cli.terminal import print_any_letter

        print_any_letter()
        return run(sys.argv[1:])
    except FaceSwapError as error:
        return _tell(told(error), error.exit_code)
    except KeyboardInterrupt:
        return _tell("interrupted", INTERRUPTED)
    except Exception as error:
        return _tell(f"a bug of ours: {type(error).__name__}: {told(error)}; {ISSUES}", BUG)


def _tell(message: str, code: int) -> int:
    if code != INTERRUPTED and {"-v", "--verbose"} & set(sys.argv):
        traceback.print_exc()
    print(f"faceswap: {' '.join(message.split())}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
