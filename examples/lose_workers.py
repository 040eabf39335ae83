"""Do a batch on two Ray nodes of this machine, kill a worker and then a whole node, and see that all is done once.

    python examples/lose_workers.py clips/ --source me.jpg

The worker dies in the midst of the second job that is begun, the node of the fourth. Needs the [ray] extra, and at
least four clips. The exit code is 1 when a job is not done, or was written down as done twice.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from ray.cluster_utils import Cluster

from faceswap_cli import BatchOptions, Job, Options, swap_many
from faceswap_cli.batch.desk import Update
from faceswap_cli.batch.inputs import find_inputs


class Trouble:
    """Kills a worker and a node while a batch runs, and says so."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._node = cluster.add_node(num_cpus=1)
        self._begun: list[Path] = []

    def __call__(self, update: Update) -> None:
        """Hear of a job; strike at the second and the fourth."""
        if update.state.name != "running":
            print(f"{update.ended}/{update.total} {update.state.name} {update.job.target.name}", flush=True)
        if update.state.name != "running" or update.job.target in self._begun:
            return
        self._begun.append(update.job.target)
        if len(self._begun) == 2:
            print(f"killed a worker: {kill_worker()}", flush=True)
        if len(self._begun) == 4:
            self._cluster.remove_node(self._node, allow_graceful=False)
            print("killed a node", flush=True)


def kill_worker() -> int:
    """Kill one of the processes that swap; return its number."""
    shown = subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True, check=True).stdout
    pids = [int(line.split()[0]) for line in shown.splitlines() if "ray::SwapActor" in line]
    os.kill(pids[0], signal.SIGKILL)
    return pids[0]


def main() -> int:
    """Run the batch and judge its manifest."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips")
    parser.add_argument("--source", type=Path, required=True, help="photo of the face to put in")
    parser.add_argument("--model", default="lite")
    parser.add_argument("--face-pack", type=Path)
    arguments = parser.parse_args()
    options = Options(model=arguments.model, face_pack=arguments.face_pack, device="cpu", threads=1)
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    with tempfile.TemporaryDirectory(prefix="lose-workers-") as folder:
        jobs = [
            Job(arguments.source, found.path, Path(folder, found.path.name), options)
            for found in find_inputs([arguments.clips])[0]
        ]
        choices = BatchOptions(manifest=Path(folder, "batch.jsonl"), ray=cluster.address)
        began = time.monotonic()
        result = swap_many(jobs, choices, Trouble(cluster))
        records = [json.loads(line) for line in choices.manifest.read_bytes().splitlines()]
    cluster.shutdown()
    done = Counter(record["job"] for record in records if record.get("name") == "done")
    again = sum(record.get("line") == "its worker was lost" for record in records)
    print(f"{len(done)} of {len(jobs)} done, {again} begun again, {time.monotonic() - began:.0f} s; code {result.code}")
    return 0 if len(done) == len(jobs) and set(done.values()) == {1} else 1


if __name__ == "__main__":
    sys.exit(main())
