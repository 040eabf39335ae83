"""Work before the first step is told with its pace and the time left, by what was done since its first word."""

import pytest

from faceswap_cli.training.core import watch
from faceswap_cli.training.core.watch import Moment, counted


def test_work_is_told_at_first_at_last_and_twice_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """An earlier run had done 600 of 1000; 10 more take a second, so 390 take 39: what was done before is no pace."""
    seconds, told = 100.0, list[Moment]()
    monkeypatch.setattr(watch.time, "monotonic", lambda: seconds)
    show = counted(told.append, "pictures")
    moments = ((100.0, 600), (100.4, 604), (101.0, 610), (101.2, 1000), (101.3, 0), (103.3, 100))
    for seconds, done in moments:  # noqa: B007 (the clock reads it)
        show(done, 1000)
    shown = [(each.unit, each.done, each.total) for each in told]
    assert shown == [("pictures", done, 1000) for done in (600, 610, 1000, 0, 100)]
    assert told[0].images_per_second is told[0].seconds_left is None
    assert told[1].images_per_second == pytest.approx(10)
    assert told[1].seconds_left == pytest.approx(39)
    assert told[3].images_per_second is None  # other work has begun, whose pace is its own
    assert (told[4].images_per_second, told[4].seconds_left) == pytest.approx((50, 18))
