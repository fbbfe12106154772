"""One tab signs out; the others lose what they have open."""

import asyncio

import pytest

from tests.browser.test_people import choose, sign_up
from tests.browser.visitor import Visitor

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_signing_out_in_one_tab_cuts_the_reply_in_the_other(visitor: Visitor) -> None:
    await sign_up(visitor)
    other = await visitor.tab()
    visitor.may_fail_to_load = other.may_fail_to_load = True
    closed = asyncio.Event()
    other.page.on("websocket", lambda socket: socket.on("close", lambda _: closed.set()))
    await other.reload()
    await other.play({"text": "before "}, {"gate": other.gate}, {"text": "after"})
    await other.sees("before")
    assert not closed.is_set()
    await choose(visitor.page, "Sign out")
    async with asyncio.timeout(5):
        await closed.wait()
    other.open_gate()
    await visitor.page.get_by_role("link", name="Sign in").wait_for()
    assert await other.text() == "before"  # what was seen stays
