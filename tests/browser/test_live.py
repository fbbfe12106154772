"""Replies that go on whatever happens to page, network and server; over each transport."""

import asyncio
import json
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Route

from tests.browser.visitor import Visitor
from tests.integration.servers import ROOT

pytestmark = pytest.mark.asyncio(loop_scope="session")

WORDS = {"text": "the line holds in every sea ", "repeat": 40, "pause_ms": 20}

over_each = pytest.mark.parametrize("transport", ["sse", "socket"])


async def prefer(visitor: Visitor, transport: str) -> None:
    """Choose how replies come, as the settings do."""
    await visitor.page.evaluate("(it) => localStorage.setItem('holdfast-transport', it)", transport)


def came_by_socket(visitor: Visitor) -> bool:
    return any('"delta"' in frame for frame in visitor.frames)


@over_each
async def test_ten_reloads_in_mid_reply_lose_and_double_nothing(
    visitor: Visitor, transport: str
) -> None:
    await prefer(visitor, transport)
    await visitor.play({"text": "before the reload "}, {"gate": visitor.gate}, WORDS)
    await visitor.sees("before the reload")
    for _ in range(7):
        await visitor.reload()
        await visitor.sees("before the reload")
    visitor.open_gate()
    await visitor.sees("every sea")
    for _ in range(3):
        before = await visitor.text()
        await visitor.reload()
        await visitor.sees(before)
    await visitor.sees_end()
    await visitor.shows_what_is_stored()
    assert came_by_socket(visitor) == (transport == "socket")


async def test_the_dot_moves_only_while_no_text_comes(visitor: Visitor) -> None:
    moves = "document.querySelector('.caret').getAnimations().length"
    await visitor.play({"gate": visitor.gate}, WORDS | {"repeat": 200}, {"gate": "never"})
    await visitor.until(lambda: visitor.page.evaluate(moves), "the dot does not move")
    visitor.open_gate()
    await visitor.until(lambda: visitor.page.evaluate(f"{moves} === 0"), "the dot moves still")
    await visitor.until(lambda: visitor.page.evaluate(moves), "the dot does not move again")
    await visitor.page.click("#stop")
    await visitor.sees_end("stopped")


async def thread_asked(visitor: Visitor) -> list[str]:
    """What the thread beside the page has read; its own file, if it is ready."""
    names = "performance.getEntriesByType('resource').map(({ name }) => name)"
    found = [await worker.evaluate(names) for worker in visitor.page.workers]
    return [name for names in found for name in names]


async def test_a_reply_is_read_by_a_thread_beside_the_page(visitor: Visitor) -> None:
    await prefer(visitor, "sse")
    await visitor.page.fill("#message", "somebody is here")
    await visitor.until(lambda: thread_asked(visitor), "there is no thread")
    await visitor.play({"text": "at once "}, {"gate": visitor.gate}, WORDS)
    await visitor.sees("at once")
    visitor.open_gate()
    await visitor.sees_end()
    await visitor.shows_what_is_stored()

    async def asked() -> bool:
        return any(name.endswith("/messages") for name in await thread_asked(visitor))

    await visitor.until(asked, "it was not the thread that read")


async def test_where_no_thread_can_be_the_page_reads_by_itself(visitor: Visitor) -> None:
    visitor.may_fail_to_load = True
    await prefer(visitor, "sse")
    await visitor.context.route("**/gatherer*.js", lambda route: route.abort())
    await visitor.reload()
    await visitor.play({"text": "at once "}, {"gate": visitor.gate}, WORDS)
    await visitor.sees("at once")
    visitor.open_gate()
    await visitor.sees_end()
    await visitor.shows_what_is_stored()
    assert await thread_asked(visitor) == []


@over_each
async def test_a_killed_server_costs_no_text_that_was_seen(
    castaway: Visitor, transport: str
) -> None:
    await prefer(castaway, transport)
    await castaway.play(WORDS | {"repeat": 400})
    await castaway.sees("every sea the line")
    castaway.server.kill()
    seen = await castaway.text()
    await castaway.page.wait_for_selector("#status-line:has-text('Reconnecting')")
    await castaway.server.restart()
    await castaway.sees_end("interrupted")
    assert (await castaway.text()).startswith(seen)
    assert "server went down" in await castaway.reply.inner_text()
    await castaway.shows_what_is_stored()


@over_each
async def test_a_server_that_restarts_in_good_order_is_waited_for(
    castaway: Visitor, transport: str
) -> None:
    await prefer(castaway, transport)
    await castaway.play({"text": "steady "}, {"gate": castaway.gate}, {"text": "as it goes"})
    await castaway.sees("steady")
    await castaway.server.terminate()
    await castaway.server.restart()
    await castaway.sees_end("interrupted")
    await castaway.shows_what_is_stored()


@over_each
async def test_five_seconds_offline_in_mid_reply_lose_and_double_nothing(
    visitor: Visitor, transport: str
) -> None:
    visitor.may_fail_to_load = True
    await prefer(visitor, transport)
    await visitor.play(WORDS | {"repeat": 330})
    await visitor.sees("every sea the line")
    await visitor.context.set_offline(True)
    await visitor.page.wait_for_selector("#status-line:has-text('offline')")
    await asyncio.sleep(5)  # the length of the outage, not a wait for something
    await visitor.context.set_offline(False)
    await visitor.sees_end()
    await visitor.shows_what_is_stored()


@over_each
async def test_a_page_that_was_frozen_in_mid_reply_has_all_of_it_when_it_wakes(
    visitor: Visitor, transport: str
) -> None:
    await prefer(visitor, transport)
    await visitor.play({"text": "before "}, {"gate": visitor.gate}, {"text": "and after"})
    await visitor.sees("before")
    devtools = await visitor.context.new_cdp_session(visitor.page)
    await devtools.send("Page.setWebLifecycleState", {"state": "frozen"})
    visitor.open_gate()

    async def settled() -> bool:
        return bool((await visitor.stored_reply())["status"] == "completed")

    await visitor.until(settled, "the reply did not end")
    await devtools.send("Page.setWebLifecycleState", {"state": "active"})
    await visitor.sees_end()
    assert await visitor.text() == "before and after"


@over_each
async def test_a_page_out_of_the_back_forward_cache_goes_on_where_it_was(
    visitor: Visitor, transport: str
) -> None:
    await prefer(visitor, transport)
    await visitor.play({"text": "before "}, {"gate": visitor.gate}, {"text": "and after"})
    await visitor.sees("before")
    for moment in ("pagehide", "pageshow"):
        await visitor.page.evaluate(
            "(it) => dispatchEvent(new PageTransitionEvent(it, { persisted: true }))", moment
        )
    visitor.open_gate()
    await visitor.sees_end()
    assert await visitor.text() == "before and after"
    await visitor.shows_what_is_stored()


async def follow_link(visitor: Visitor, conversation: str) -> None:
    """Click on a row of the list wherever it is now: replies that end move the rows."""
    await visitor.page.locator(f"a[href='/c/{conversation}']").dispatch_event("click")


@over_each
async def test_conversations_left_in_mid_reply_are_live_on_return(
    visitor: Visitor, transport: str
) -> None:
    await prefer(visitor, transport)
    await visitor.play({"text": "here "}, {"gate": visitor.gate}, {"text": "and there"})
    await visitor.sees("here")
    first = visitor.conversation
    await visitor.page.click(".new-button")
    await visitor.play({"text": "another "}, {"gate": visitor.gate}, {"text": "harbour"})
    await visitor.sees("another")
    second = visitor.conversation
    await follow_link(visitor, first)
    await visitor.sees("here")
    await visitor.page.wait_for_selector("#stop:visible")
    visitor.open_gate()
    await visitor.sees("here and there")
    await visitor.sees_end()
    await follow_link(visitor, second)
    await visitor.sees("another harbour")
    await visitor.sees_end()
    await visitor.shows_what_is_stored()
    await visitor.page.go_back()
    await visitor.sees("here and there")


@pytest.mark.parametrize("transport", ["socket", "poll"])
async def test_stop_ends_a_reply_over_other_transports_too(
    visitor: Visitor, transport: str
) -> None:
    await prefer(visitor, transport)
    await visitor.play({"text": "as far as this"}, {"gate": "never"}, {"text": " and beyond"})
    await visitor.sees("as far as this")
    await visitor.page.click("#stop")
    await visitor.sees_end("stopped")
    await visitor.shows_what_is_stored()


async def test_the_example_of_the_documents_follows_a_reply_by_events_js_alone(
    visitor: Visitor,
) -> None:
    async def example(route: Route) -> None:
        name = urlsplit(route.request.url).path.split("/")[-1]
        await route.fulfill(path=ROOT / "docs" / "examples" / name)

    visitor.may_fail_to_load = True
    page = visitor.page
    await page.route("**/examples/**", example)
    await page.goto(f"{visitor.server.url}/examples/one-reply.html?model=scripted")
    steps = [WORDS, {"gate": visitor.gate}, WORDS]
    await page.fill("#question", json.dumps({"steps": steps}))
    await page.click("text=Ask")
    shown = page.locator("#reply")
    await visitor.until(shown.text_content, "no text came")
    before = await shown.text_content() or ""
    await visitor.context.set_offline(True)
    await page.locator("#state", has_text="offline").wait_for()
    await visitor.context.set_offline(False)
    visitor.open_gate()
    await page.reload()
    await page.locator("#state", has_text="settled: completed stop").wait_for()
    conversation = page.url.split("#")[1].split("/")[0]
    question, reply = await visitor.stored(conversation)
    assert await shown.text_content() == reply["content"]
    assert reply["content"].startswith(before)
    await page.fill("#question", json.dumps({"steps": [{"stall": True}]}))
    await page.click("text=Ask")
    await page.locator("#state", has_text="open").wait_for()
    await page.click("#stop")
    await page.locator("#state", has_text="settled: stopped user").wait_for()
