"""Names of outputs stay in their folder, and jobs that would get in each other's way are refused before any work."""

import os
from pathlib import Path

import pytest

from faceswap_cli.batch.jobs import Job, Template, settled, without_own
from faceswap_cli.errors import UsageError
from faceswap_cli.options import Options


@pytest.mark.parametrize(
    "text, named",
    [
        ("out/{stem}_swapped.{ext}", "out/a b_swapped.mp4"),
        ("out/{number}.{ext}", "out/7.mp4"),
        ("out/{folder}/{name}", "out/one/two/a b.mp4"),
        ("out/{source}/{stem}.mkv", "out/me/a b.mkv"),
        ("out/", "out/one/two/a b_swapped.mp4"),
        ("out", "out/one/two/a b_swapped.mp4"),
    ],
)
def test_a_template_names_the_output(tmp_path: Path, text: str, named: str) -> None:
    clip = tmp_path / "a b.mp4"
    clip.write_bytes(b"\0\0\0\x18ftypmp42")
    assert Template(text).path(Job("photos/me.jpg", clip), 7, Path("one/two")) == Path(named)


def test_what_is_not_written_gets_the_ending_of_its_kind(tmp_path: Path) -> None:
    photo, stream = tmp_path / "a.gif", tmp_path / "b.ts"
    photo.write_bytes(b"II*\0")
    stream.write_bytes(b"\x47\x40\0\x10" * 50)
    assert [Template("{stem}.{ext}").path(Job("me.jpg", each), 1, Path()).name for each in (photo, stream)] == [
        "a.png",
        "b.mp4",
    ]


@pytest.mark.parametrize("name", ["..", ".", "a\\..\\..\\b", "..\x00", "a\nb"])
def test_a_hostile_name_is_one_part_of_a_path_inside_the_folder(name: str) -> None:
    path = Template("out/{stem}").path(Job("me.jpg", Path("/clips", name)), 1, Path(name))
    assert path.parent == Path("out")
    assert path.name not in ("..", ".")
    assert not set("\\\n\0") & set(path.name)


def test_a_hostile_folder_is_no_way_out() -> None:
    path = Template("out/{folder}/{stem}.mp4").path(Job("me.jpg", "/clips/a.mp4"), 1, Path("../../etc"))
    assert path == Path("out/_/_/etc/a.mp4")


def test_a_link_that_leads_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "sub").symlink_to(tmp_path)
    with pytest.raises(UsageError, match="would lie outside"):
        Template(f"{tmp_path}/out/{{folder}}/{{stem}}.mp4").path(Job("me.jpg", "/clips/a.mp4"), 1, Path("sub"))


@pytest.mark.parametrize(
    "text, told",
    [
        ("out/{stme}.mp4", r"\{stme\}"),
        ("out/{stem.__class__}.mp4", r"\{stem.__class__\}"),
        ("out/{stem}}.mp4", "bracket"),
        ("out/{0}", r"\{0\}"),
        ("out/same.mp4", "every job one name"),
        ("out/{folder}.mp4", "every job one name"),
    ],
)
def test_a_template_that_cannot_be_meant_is_refused(text: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        Template(text)


def test_without_a_template_the_output_lies_beside_its_input() -> None:
    (job,) = settled([Job("me.jpg", "/clips/a.mov", options=Options(quality=50))])
    assert (job.output, job.options.quality) == (Path("/clips/a_swapped.mov"), 50)
    assert job.sources == (Path.cwd() / "me.jpg",)


@pytest.mark.parametrize(
    "outputs", [("out/x.mp4", "out/x.mp4"), ("out/x.mp4", "link/x.mp4"), ("out/x.mp4", "out/./x.mp4")]
)
def test_two_jobs_with_one_output_are_refused(tmp_path: Path, outputs: tuple[str, str]) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "link").symlink_to("out")
    jobs = [Job("me.jpg", f"/clips/{number}.mp4", tmp_path / output) for number, output in enumerate(outputs)]
    with pytest.raises(UsageError, match=r"two jobs would write .*0\.mp4 and .*1\.mp4"):
        settled(jobs)


@pytest.mark.parametrize("read", ["/clips/b.mp4", "/photos/me.jpg"])
def test_a_job_that_would_write_what_another_reads_is_refused(read: str) -> None:
    jobs = [Job("/photos/me.jpg", "/clips/a.mp4", read), Job("/photos/me.jpg", "/clips/b.mp4", "/out/b.mp4")]
    with pytest.raises(UsageError, match="reads"):
        settled(jobs)


def test_a_path_that_no_system_takes_is_refused() -> None:
    with pytest.raises(UsageError, match="holds a NUL"):
        settled([Job("me.jpg", "/clips/a\0.mp4", "/out/a.mp4")])


def test_no_job_at_all_is_refused() -> None:
    with pytest.raises(UsageError, match="nothing to do"):
        settled([])


def test_results_and_sources_that_lie_among_the_inputs_are_left_out(tmp_path: Path) -> None:
    names = ("a.mp4", "a_swapped.mp4", "me.jpg", "b.mp4")
    jobs = [Job(tmp_path / "me.jpg", tmp_path / name) for name in names]
    assert [Path(job.input).name for job in without_own(jobs, [False] * 4)] == ["a.mp4", "b.mp4"]
    assert len(without_own(jobs, [True] * 4)) == 4
    assert os.path.isabs(without_own(jobs, [False] * 4)[0].input)
