"""A bounded number of streams: the one too many is refused before it begins."""

import gc
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.test import AsyncRequestFactory

from streaming.metrics import registry
from streaming.responses import Slots, TextStreamResponse


async def words() -> AsyncIterator[str]:
    yield "word"


async def streams(request: HttpRequest) -> HttpResponseBase:
    return TextStreamResponse(words())


def ask(**headers: str) -> Any:
    return AsyncRequestFactory().get("/", headers=headers)


async def test_the_one_too_many_is_told_when_to_come_again() -> None:
    slots = Slots(2, name="told", retry_after_seconds=7)
    view = slots.bounded(streams)
    open_now = [await view(ask()) for _ in range(2)]
    refused: Any = await view(ask())
    assert (refused.status_code, refused["Retry-After"]) == (503, "7")
    error = json.loads(refused.content)["error"]
    assert (error["code"], error["retryable"]) == ("too_many_streams", True)
    assert (slots.taken, slots.refused) == (2, 1)
    assert registry.get_sample_value("holdfast_limits_hit_total", {"limit": "slots_told"}) == 1
    open_now[0].close()
    open_now[0].close()
    assert slots.taken == 1
    assert (await view(ask())).status_code == 200


async def test_what_does_not_stream_and_what_fails_holds_no_slot() -> None:
    slots = Slots(1, name="words")

    async def plain(request: HttpRequest) -> HttpResponseBase:
        return HttpResponse("no")

    async def fails(request: HttpRequest) -> HttpResponseBase:
        raise RuntimeError("planted")

    await slots.bounded(plain)(ask())
    with pytest.raises(RuntimeError):
        await slots.bounded(fails)(ask())
    assert slots.taken == 0


async def test_a_response_that_nobody_closed_gives_its_slot_back() -> None:
    slots = Slots(1, name="words")
    response = await slots.bounded(streams)(ask())
    assert slots.taken == 1
    del response
    gc.collect()
    assert slots.taken == 0


async def test_each_key_has_slots_of_its_own_and_zero_is_any_number() -> None:
    slots = Slots(1, name="words", key=lambda request: request.headers["who"])
    view = slots.bounded(streams)
    one, other = await view(ask(who="a")), await view(ask(who="b"))
    assert (one.status_code, other.status_code) == (200, 200)
    assert (await view(ask(who="a"))).status_code == 503
    many = Slots(lambda: 0, name="many").bounded(streams)
    kept = [await many(ask()) for _ in range(20)]
    assert {one.status_code for one in kept} == {200}
