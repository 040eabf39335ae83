"""The examples for clusters are what their schedulers read, and call the command as it is."""

import json
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

from faceswap_cli import errors

from .warm import faceswap

CLUSTER = Path(__file__).resolve().parents[1] / "examples" / "cluster"


def read_yaml(name: str) -> Any:
    yaml = pytest.importorskip("yaml")
    return yaml.safe_load((CLUSTER / name).read_text())


@pytest.fixture(scope="module")
def job() -> Any:
    return read_yaml("kubernetes.yaml")


def refuses_nothing_but_the_missing_files(words: list[str], **environment: str) -> None:
    """Each option is known and means something: what is told first is that the clips are not there."""
    done = faceswap(*words, **environment)
    assert (done.returncode, done.stderr) == (
        errors.MediaError.exit_code,
        "faceswap: /media/clips does not exist: check the path\n",
    )


def test_kubernetes_numbers_as_many_parts_as_the_command_counts(job: Any) -> None:
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert (job["apiVersion"], job["kind"], job["spec"]["completionMode"]) == ("batch/v1", "Job", "Indexed")
    assert f"--shard=auto/{job['spec']['completions']}" in container["args"]
    assert job["spec"]["parallelism"] <= job["spec"]["completions"]
    words = [*container["command"][1:], *container["args"]]
    refuses_nothing_but_the_missing_files(words, JOB_COMPLETION_INDEX="15")


@pytest.mark.parametrize("version", ["1.29", "1.37"])
def test_the_job_is_one_by_kubernetes_own_schema(job: Any, version: str) -> None:
    kubernetes = pytest.importorskip("kubernetes_validate", reason="needs kubernetes-validate, 108 MB of schemas")
    kubernetes.validate(job, version, strict=True)
    with pytest.raises(kubernetes.ValidationError, match="backofLimitPerIndex"):
        kubernetes.validate(job | {"spec": job["spec"] | {"backofLimitPerIndex": 3}}, version, strict=True)


def test_kubernetes_is_told_what_each_exit_code_means(job: Any) -> None:
    spec = job["spec"]
    rules = {rule["action"]: rule for rule in spec["podFailurePolicy"]["rules"]}
    codes = {action: rule["onExitCodes"]["values"] for action, rule in rules.items() if "onExitCodes" in rule}
    same_again = [errors.UsageError, errors.NoFaceError, errors.MediaError]
    assert codes == {
        "FailJob": [errors.WeightsError.exit_code],
        "FailIndex": [error.exit_code for error in same_again],
    }
    assert rules["Ignore"]["onPodConditions"] == [{"type": "DisruptionTarget", "status": "True"}]
    assert spec["backoffLimitPerIndex"] > 0  # FailIndex is refused without it
    assert spec["template"]["spec"]["restartPolicy"] == "Never"  # a failure policy is refused with any other
    names = [container["name"] for container in spec["template"]["spec"]["containers"]]
    assert all(rule["onExitCodes"]["containerName"] in names for rule in rules.values() if "onExitCodes" in rule)


def test_kubernetes_mounts_what_the_command_reads(job: Any) -> None:
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert [mount["name"] for mount in container["volumeMounts"]] == [volume["name"] for volume in pod["volumes"]]
    assert container["volumeMounts"][0]["mountPath"] == "/media"


def test_slurm_s_script_is_one_and_calls_the_command_as_it_is() -> None:
    script = CLUSTER / "slurm.sh"
    subprocess.run(["bash", "-n", script], check=True)
    text = script.read_text().replace("\\\n", " ").replace("${SLURM_CPUS_PER_TASK}", "4")
    (line,) = [line for line in text.splitlines() if line.startswith("srun faceswap ")]
    array = {"SLURM_ARRAY_TASK_ID": "15", "SLURM_ARRAY_TASK_COUNT": "16", "SLURM_ARRAY_TASK_MIN": "0"}
    refuses_nothing_but_the_missing_files(shlex.split(line)[2:], **array)
    asked = [line for line in text.splitlines() if line.startswith("#SBATCH")]
    assert "#SBATCH --array=0-15%8" in asked


def test_ray_s_cluster_file_is_one_that_ray_takes() -> None:
    cluster = read_yaml("ray.yaml")
    autoscaler = pytest.importorskip("ray.autoscaler._private.util")
    autoscaler.validate_config(autoscaler.prepare_config(json.loads(json.dumps(cluster))))
    assert cluster["max_workers"] == len(cluster["provider"]["worker_ips"])
    assert "ray-client-server-port=10001" in " ".join(cluster["head_start_ray_commands"])
