"""Many swaps, one after another or side by side: what `faceswap batch` and `swap_many` do.

    jobs.py -> runner.py -> desk.py (what is to be done) and manifest.py (states that outlive the process)
        -> one.py (a single swap) -> report.py

A job fails by itself and never ends the batch; the same call goes on behind whatever an earlier one has done.
"""
