"""What Ray says is told in one line."""

import pytest

from faceswap_cli.errors import UsageError

cluster = pytest.importorskip("faceswap_cli.cluster", reason="needs the [ray] extra")


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("no answer\nTraceback\n  deep", "no answer"),
        ("failed on the server:\nTraceback\nTimeoutError: 30 s", "failed on the server: TimeoutError: 30 s"),
        ("alone:", "alone:"),
        ("", "ValueError"),
    ],
)
def test_the_beginning_is_told_and_the_end_of_a_traceback(said: str, told: str) -> None:
    assert cluster.first_line(ValueError(said)) == told


@pytest.mark.parametrize(
    ("address", "told"),
    [
        (
            "local",
            r"Ray does not start on this machine \(the node timed out\): give it more room, or swap without --ray",
        ),
        ("auto", r"no Ray cluster answers at auto \(the node timed out\): start one with `ray start --head`, or"),
    ],
)
def test_whatever_ray_raises_as_it_starts_is_told(monkeypatch: pytest.MonkeyPatch, address: str, told: str) -> None:
    """Ray raises a bare Exception where its own processes do not start in time."""

    def timed_out(**_: object) -> None:
        raise Exception("the node timed out")

    monkeypatch.setattr(cluster.ray, "init", timed_out)
    with pytest.raises(UsageError, match=told), cluster.connected(address):
        pass
