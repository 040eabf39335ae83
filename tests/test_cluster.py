"""What Ray says is told in one line."""

import pytest

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
