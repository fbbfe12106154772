"""One tab signs out; the others lose what they have open."""

import asyncio

import pytest
from playwright.async_api import Request, Response, expect

from tests.browser.test_people import choose, sign_up
from tests.browser.visitor import Visitor

pytestmark = pytest.mark.asyncio(loop_scope="session")


def carries_events(response: Response) -> bool:
    return response.headers.get("content-type", "").startswith("text/event-stream")


async def test_signing_out_in_one_tab_cuts_the_reply_in_the_other(visitor: Visitor) -> None:
    await sign_up(visitor)
    other = await visitor.tab()
    visitor.may_fail_to_load = other.may_fail_to_load = True
    socket_closed, stream_closed = asyncio.Event(), asyncio.Event()

    async def has_socket() -> bool:
        return bool(other.frames)

    await other.until(has_socket, "no socket was opened")  # that one ends with the reload
    other.page.on("websocket", lambda socket: socket.on("close", lambda _: socket_closed.set()))
    await other.reload()
    async with other.page.expect_response(carries_events) as begun:
        await other.play({"text": "before "}, {"gate": other.gate}, {"text": "after"})
    stream = (await begun.value).request

    def over(request: Request) -> None:
        if request is stream:
            stream_closed.set()

    other.page.on("requestfinished", over)
    other.page.on("requestfailed", over)
    await other.sees("before")
    assert not socket_closed.is_set()
    assert not stream_closed.is_set()
    await choose(visitor.page, "Sign out")
    async with asyncio.timeout(5):
        await socket_closed.wait()
        await stream_closed.wait()
    other.open_gate()
    await visitor.page.get_by_role("link", name="Sign in").wait_for()
    assert await other.text() == "before"  # what was seen stays


async def test_a_tab_that_looked_away_shows_nothing_of_one_person_to_the_next(
    visitor: Visitor,
) -> None:
    await sign_up(visitor)
    await visitor.play({"text": "for her eyes"})
    await visitor.sees_end()
    other = await visitor.tab(f"/c/{visitor.conversation}")
    visitor.may_fail_to_load = other.may_fail_to_load = True
    await other.sees("for her eyes")
    await choose(visitor.page, "Sign out")
    await other.page.get_by_role("link", name="Sign in").first.wait_for()
    assert await other.text() == "for her eyes"  # whoever signed out may sign in again
    await sign_up(visitor)
    await other.page.evaluate("dispatchEvent(new Event('online'))")
    await other.page.get_by_text("for her eyes").first.wait_for(state="detached")
    await expect(other.page.locator(".conversation-row")).to_have_count(0)
