"""One long clip in parts: the plan of its tracks, written down once, and whoever swaps its parts by that.

`records.py` says what a plan holds, `plan_file.py` how it lies on disk, `roll.py` who is in it; `cut.py` makes parts of
it, `bench.py` swaps one, `crew.py` hands them out, and `film.py` puts all of it together. `trail.py` keeps where faces
were found beside the output of a run without a plan.
"""
