"""Every example of `docs/streaming-responses.md` does what the page says."""

import re
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.http import Http404
from django.test import AsyncRequestFactory

from streaming import threads

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = (ROOT / "docs" / "streaming-responses.md").read_text()
BLOCKS = re.findall(r"^```python\n(.*?)^```", DOCUMENT, flags=re.DOTALL | re.MULTILINE)


def views(name: str) -> dict[str, Any]:
    """Run the block that defines a view."""
    block = next(one for one in BLOCKS if f"async def {name}(" in one)
    there: dict[str, Any] = {}
    exec(compile(block, name, "exec"), there)
    return there


async def answer(view: Any, *arguments: Any, path: str = "/", **headers: str) -> Any:
    return await view(AsyncRequestFactory().get(path, headers=headers), *arguments)


async def body(response: Any) -> str:
    stream = b"".join([part async for part in response])
    response.close()
    return stream.decode("utf-8-sig")


async def test_events() -> None:
    text = await body(await answer(views("countdown")["countdown"]))
    assert text.startswith('retry: 1000\n\nid: 3\nevent: progress\ndata: {"left":3}\n\n')
    assert text.endswith("data: lift-off\n\n")


async def test_events_of_which_one_fails() -> None:
    text = await body(await answer(views("halves")["halves"]))
    assert re.findall(r"^(?:event|data): (.+)", text, re.MULTILINE) == [
        "2",
        "error",
        '{"error":{"code":"invalid_field","message":"3 is odd.","retryable":false}}',
        "1",
    ]


async def test_text_lines_and_joined_letters() -> None:
    assert await body(await answer(views("poem")["poem"])) == "so much depends"
    lines = await body(await answer(views("progress")["progress"]))
    assert lines == '{"done":1,"of":2}\n{"report":"all is well"}\n'
    assert await body(await answer(views("letters")["letters"])) == "letter by letter"


async def test_files(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"0123456789")
    there = views("film")
    there["FILMS"] = tmp_path
    response = await answer(there["film"], "a.mp4", range="bytes=2-3")
    assert (response.status_code, await body(response)) == (206, "23")
    with pytest.raises(Http404):
        await answer(there["film"], "../a.mp4")


@pytest.mark.django_db(transaction=True)
async def test_tables() -> None:
    await get_user_model()._default_manager.acreate(username="=alice")
    lines = (await body(await answer(views("people")["people"]))).splitlines()
    assert lines[0] == "username,date_joined" and lines[1].startswith("'=alice,")
    await threads.close_connections()


async def test_slots() -> None:
    clock = views("clock")["clock"]
    kept = [await answer(clock) for _ in range(3)]
    assert [one.status_code for one in kept] == [200, 200, 503]
    assert kept[2]["Retry-After"] == "3"


async def test_refusals() -> None:
    repeat = views("repeat")["repeat"]
    assert await body(await answer(repeat, path="/?times=2")) == "again again "
    assert (await answer(repeat, path="/?times=x")).status_code == 422


def test_every_example_is_run_here() -> None:
    source = Path(__file__).read_text()
    defined = [name for block in BLOCKS for name in re.findall(r"^async def (\w+)", block, re.M)]
    assert defined and all(f'views("{name}")' in source for name in defined)
