"""Files as responses: whole, in part, not at all; closed whatever becomes of the client."""

import os
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from django.http.response import HttpResponseBase
from django.test import AsyncRequestFactory

from streaming.responses import Download, disposition, file_in, serve_file

CONTENT = bytes(range(256)) * 4096  # a megabyte
MODIFIED = "Sun, 06 Nov 1994 08:49:37 GMT"


class Opened(BytesIO):
    """A file that notes how it is read."""

    largest = 0

    def read(self, size: int | None = -1, /) -> bytes:
        self.largest = max(self.largest, len(CONTENT) if size is None or size < 0 else size)
        return super().read(size)


class Shelf:
    """Opens files and remembers them."""

    def __init__(self) -> None:
        self.opened: list[Opened] = []

    def open(self) -> Opened:
        self.opened.append(Opened(CONTENT))
        return self.opened[-1]


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


async def get(shelf: Shelf, method: str = "GET", **headers: str) -> Any:
    download = Download(
        open=shelf.open,
        size=len(CONTENT),
        etag='"a"',
        content_type="video/mp4",
        name='quay "1" é.mp4',
        last_modified=datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC),
        headers={"Cache-Control": "private"},
    )
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = AsyncRequestFactory().generic(method, "/file", headers=named)
    return await serve_file(request, download)


async def read(response: Any) -> bytes:
    parts = [part async for part in response]
    response.close()
    return b"".join(parts)


async def test_a_file_is_served_whole_with_what_a_client_needs_to_come_back(shelf: Shelf) -> None:
    response = await get(shelf)
    assert response.status_code == 200
    assert response["Content-Length"] == str(len(CONTENT))
    assert response["Content-Type"] == "video/mp4"
    assert response["Accept-Ranges"] == "bytes"
    assert response["ETag"] == '"a"'
    assert response["Last-Modified"] == MODIFIED
    assert response["Cache-Control"] == "private"
    name = "quay%20%221%22%20%C3%A9.mp4"
    plain = 'attachment; filename="quay _1_ e.mp4"'
    assert response["Content-Disposition"] == f"{plain}; filename*=UTF-8''{name}"
    assert await read(response) == CONTENT


async def test_a_range_is_served_and_read_in_small_pieces(shelf: Shelf) -> None:
    response = await get(shelf, range="bytes=1000-")
    assert response.status_code == 206
    assert response["Content-Range"] == f"bytes 1000-{len(CONTENT) - 1}/{len(CONTENT)}"
    assert response["Content-Length"] == str(len(CONTENT) - 1000)
    assert await read(response) == CONTENT[1000:]
    assert 0 < shelf.opened[0].largest <= 2**17
    assert await read(await get(shelf, range="bytes=-3")) == CONTENT[-3:]


@pytest.mark.parametrize("given", ['"a"', MODIFIED])
async def test_a_download_is_resumed_if_the_file_is_the_same(shelf: Shelf, given: str) -> None:
    assert (await get(shelf, range="bytes=5-9", if_range=given)).status_code == 206
    for other in ('"b"', "Sun, 06 Nov 1994 08:49:38 GMT"):
        response = await get(shelf, range="bytes=5-9", if_range=other)
        assert (response.status_code, response["Content-Length"]) == (200, str(len(CONTENT)))


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"if_none_match": '"a"'}, 304),
        ({"if_none_match": '"a"', "range": "bytes=0-1"}, 304),
        ({"if_modified_since": MODIFIED}, 304),
        ({"if_match": '"b"'}, 412),
        ({"range": f"bytes={len(CONTENT)}-"}, 416),
    ],
)
async def test_an_answer_without_bytes_opens_nothing(
    shelf: Shelf, headers: dict[str, str], status: int
) -> None:
    response: HttpResponseBase = await get(shelf, **headers)
    assert response.status_code == status
    assert shelf.opened == []
    if status == 304:
        assert response["Cache-Control"] == "private"
    if status == 416:
        assert response["Content-Range"] == f"bytes */{len(CONTENT)}"


async def test_a_head_has_the_headers_alone(shelf: Shelf) -> None:
    response = await get(shelf, "HEAD", range="bytes=0-1")
    assert (response.status_code, response["Content-Length"]) == (200, str(len(CONTENT)))
    assert response.content == b""
    assert shelf.opened == []


async def test_a_file_is_closed_when_its_reader_leaves(shelf: Shelf) -> None:
    response = await get(shelf)
    async for _ in response:
        break
    assert not shelf.opened[0].closed
    response.close()
    assert shelf.opened[0].closed
    unread = await get(shelf)
    unread.close()
    assert shelf.opened[1].closed


async def test_a_file_that_was_cut_meanwhile_ends_the_stream(shelf: Shelf) -> None:
    response = await get(shelf)
    shelf.opened[0].truncate(1000)
    assert await read(response) == CONTENT[:1000]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    inside = tmp_path / "films"
    (inside / "deep").mkdir(parents=True)
    (inside / "quay é.mp4").write_bytes(CONTENT)
    (inside / "deep" / "page.html").write_text("<script>")
    (inside / "drawing.svg").write_text("<svg/>")
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "films-of-others").mkdir()
    (tmp_path / "films-of-others" / "one").write_text("theirs")
    (inside / "link").symlink_to(tmp_path / "secret")
    (inside / "within").symlink_to(inside / "drawing.svg")
    os.mkfifo(inside / "pipe")
    return inside


async def test_a_film_is_served_by_the_name_that_a_client_gives(directory: Path) -> None:
    found = file_in(directory, "quay é.mp4", inline=True)
    request = AsyncRequestFactory().get("/", headers={"range": "bytes=10-19"})
    response: Any = await serve_file(request, found)
    assert (response.status_code, response["Content-Type"]) == (206, "video/mp4")
    assert response["Content-Disposition"].startswith("inline; ")
    assert await read(response) == CONTENT[10:20]
    assert file_in(directory, "deep/page.html").size == 8
    assert file_in(directory, "within").size == 6


@pytest.mark.parametrize(
    "name",
    [
        *("../secret", "deep/../../secret", "/etc/passwd", "link", "pipe", "deep", ".", "", "no"),
        *("..", "..\\secret", "quay é.mp4\0", "../films-of-others/one", "\ud800"),
    ],
)
def test_no_name_leads_out_of_its_directory(directory: Path, name: str) -> None:
    with pytest.raises(FileNotFoundError):
        file_in(directory, name)


def test_what_could_run_as_a_page_is_saved(directory: Path) -> None:
    for name in ("deep/page.html", "drawing.svg"):
        assert not file_in(directory, name, inline=True).inline


def test_a_file_that_was_replaced_meanwhile_is_not_opened(directory: Path) -> None:
    found = file_in(directory, "quay é.mp4")
    (directory / "quay é.mp4").rename(directory / "old.mp4")
    (directory / "quay é.mp4").symlink_to(directory.parent / "secret")
    with pytest.raises(OSError):
        found.open()


def test_another_content_has_another_tag(directory: Path) -> None:
    before = file_in(directory, "quay é.mp4").etag
    (directory / "quay é.mp4").write_bytes(CONTENT + b"x")
    assert file_in(directory, "quay é.mp4").etag != before


@pytest.mark.parametrize(
    "name", ['a"b', "a\r\nSet-Cookie: x", "\u202eexe.txt", "é/..", "\udc80", ""]
)
def test_no_name_breaks_out_of_its_header(name: str) -> None:
    written = disposition(name)
    assert written.isascii() and written.isprintable()
    assert written.startswith("attachment")
