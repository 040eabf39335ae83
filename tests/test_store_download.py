"""A download resumes, follows redirects, and never leaves a wrong or half file under the final name."""

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from faceswap_cli.errors import WeightsError
from faceswap_cli.store.download import Remote, download

CONTENT = bytes(range(256)) * 4096
HALF = len(CONTENT) // 2


class Handler(BaseHTTPRequestHandler):
    """Serves CONTENT at /file, honestly or not, as the path says; keeps the ranges it was asked for."""

    ranges: list[str | None]

    def do_GET(self) -> None:
        self.ranges.append(self.headers.get("Range"))
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/file")
            self.end_headers()
            return
        if self.path == "/absent":
            self.send_error(404)
            return
        self._send_content()

    def _send_content(self) -> None:
        start = 0
        if self.headers.get("Range") and self.path != "/no-ranges":
            start = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
        if start >= len(CONTENT):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(CONTENT) - start))
        self.end_headers()
        stop = HALF if self.path == "/breaks" and not start else len(CONTENT)
        self.wfile.write(CONTENT[start:stop])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    Handler.ranges = []
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def remote(url: str, content: bytes = CONTENT) -> Remote:
    return Remote(url, hashlib.sha256(content).hexdigest(), len(content))


def test_a_whole_file_arrives_with_progress(server: str, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    path = download(remote(f"{server}/file"), tmp_path / "deep" / "a.bin", lambda *step: seen.append(step))
    assert path.read_bytes() == CONTENT
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert [file.name for file in path.parent.iterdir()] == ["a.bin"]


def test_a_redirect_is_followed(server: str, tmp_path: Path) -> None:
    assert download(remote(f"{server}/moved"), tmp_path / "a.bin").read_bytes() == CONTENT


def test_a_broken_download_keeps_its_half_and_resumes_there(server: str, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="run the same command to go on"):
        download(remote(f"{server}/breaks"), tmp_path / "a.bin")
    assert not (tmp_path / "a.bin").exists()
    kept = (tmp_path / "a.bin.part").stat().st_size
    assert 0 < kept <= HALF
    assert download(remote(f"{server}/breaks"), tmp_path / "a.bin").read_bytes() == CONTENT
    assert Handler.ranges == [None, f"bytes={kept}-"]


def test_a_half_of_another_file_is_thrown_away(server: str, tmp_path: Path) -> None:
    (tmp_path / "a.bin.part").write_bytes(b"\0" * 1000)
    assert download(remote(f"{server}/file"), tmp_path / "a.bin").read_bytes() == CONTENT
    assert Handler.ranges == ["bytes=1000-", None]


def test_a_whole_part_is_accepted_as_it_is(server: str, tmp_path: Path) -> None:
    (tmp_path / "a.bin.part").write_bytes(CONTENT)
    assert download(remote(f"{server}/file"), tmp_path / "a.bin").read_bytes() == CONTENT


def test_a_server_without_ranges_sends_it_all_again(server: str, tmp_path: Path) -> None:
    (tmp_path / "a.bin.part").write_bytes(CONTENT[:1000])
    assert download(remote(f"{server}/no-ranges"), tmp_path / "a.bin").read_bytes() == CONTENT


def test_a_wrong_file_is_refused_and_nothing_is_kept(server: str, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="another file than the catalogue promises"):
        download(remote(f"{server}/file", b"something else"), tmp_path / "a.bin")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_file_is_reported_with_the_servers_answer(server: str, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="404"):
        download(remote(f"{server}/absent"), tmp_path / "a.bin")


def test_an_unreachable_server_is_a_weights_error(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="could not fetch"):
        download(remote("http://127.0.0.1:9/file"), tmp_path / "a.bin")


def test_a_file_already_there_is_not_asked_for_again(server: str, tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(CONTENT)
    download(remote(f"{server}/file"), tmp_path / "a.bin")
    assert Handler.ranges == []
