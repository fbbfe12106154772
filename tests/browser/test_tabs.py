"""Several tabs and devices of one person show the same."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, WebSocketRoute, expect

from tests.browser.visitor import Visitor
from tests.integration.servers import Server

pytestmark = pytest.mark.asyncio(loop_scope="session")

ROWS = ".conversation-row"


@pytest_asyncio.fixture(loop_scope="session", params=["tab", "device"])
async def other(
    visitor: Visitor, chromium: Browser, request: pytest.FixtureRequest
) -> AsyncIterator[Visitor]:
    """The same person once more; `visitor` has asked something already, and has a name thereby."""
    await visitor.play({"text": "the first reply"})
    await visitor.sees_end()
    path = f"/c/{visitor.conversation}"
    if request.param == "tab":
        yield await visitor.tab(path)
        return
    state: Any = await visitor.context.storage_state()
    device = await Visitor.arrive(chromium, visitor.server, storage_state=state)
    await device.open(path)
    yield device
    await device.leave()
    assert device.complaints() == []


async def test_another_tab_shows_what_is_sent_stopped_renamed_and_deleted_here(
    visitor: Visitor, other: Visitor
) -> None:
    await other.sees("the first reply")
    await visitor.play(
        {"text": "live "}, {"gate": visitor.gate}, {"text": "in both"}, {"gate": "x"}
    )
    await other.sees("live")
    await other.page.wait_for_selector("#stop:visible")
    visitor.open_gate()
    await other.sees("live in both")
    await visitor.sees("live in both")
    await other.page.click("#stop")
    for tab in (visitor, other):
        await tab.sees_end("stopped")
        assert await tab.page.locator("article").count() == 4

    await api(visitor, "PATCH", f"/api/conversations/{visitor.conversation}", title="A new name")
    for tab in (visitor, other):
        await tab.page.locator(ROWS, has_text="A new name").wait_for()
        await tab.page.locator("#title", has_text="A new name").wait_for()

    await api(visitor, "PATCH", f"/api/conversations/{visitor.conversation}", archived=True)
    await other.page.locator(ROWS, has_text="A new name").wait_for(state="detached")
    await api(visitor, "PATCH", f"/api/conversations/{visitor.conversation}", archived=False)
    await other.page.locator(ROWS, has_text="A new name").wait_for()

    # What a page still asks about it, because of the changes before, is gone by then.
    visitor.may_fail_to_load = other.may_fail_to_load = True
    await api(visitor, "DELETE", f"/api/conversations/{visitor.conversation}")
    await other.page.get_by_text("There is nothing here").wait_for()
    await other.page.locator(ROWS).wait_for(state="detached")


async def api(visitor: Visitor, method: str, path: str, **body: Any) -> None:
    """Do something without the page, as a program of the same person would."""
    cookies = await visitor.context.cookies()
    token = next(cookie["value"] for cookie in cookies if cookie["name"] == "csrftoken")
    answer = await visitor.context.request.fetch(
        visitor.server.url + path, method=method, data=body, headers={"X-CSRFToken": token}
    )
    assert answer.ok, await answer.text()


async def test_an_echo_of_one_s_own_change_moves_nothing(visitor: Visitor) -> None:
    await visitor.play({"text": "to be known"})
    await visitor.sees_end()
    await visitor.until(lambda: _heard(visitor, "pong"), "the socket is not open")
    await visitor.page.evaluate(
        """() => {
          window.removed = [];
          new MutationObserver((changes) => {
            for (const { removedNodes } of changes) {
              for (const node of removedNodes) {
                if (node.matches?.("article, .conversation-row")) removed.push(node.className);
              }
            }
          }).observe(document.body, { subtree: true, childList: true });
        }"""
    )
    await visitor.play({"text": "once more"})
    await visitor.sees_end()
    await visitor.until(lambda: _heard(visitor, "run.ended"), "it did not hear of its own reply")
    await visitor.page.wait_for_load_state("networkidle")
    assert await visitor.page.evaluate("removed") == []


async def _heard(visitor: Visitor, kind: str) -> bool:
    return any(kind in frame for frame in visitor.frames)


async def test_a_page_that_was_offline_says_so_and_learns_what_changed_meanwhile(
    visitor: Visitor,
) -> None:
    await visitor.play({"text": "hello"})
    await visitor.sees_end()
    await visitor.until(lambda: _heard(visitor, "pong"), "the socket is not open")
    visitor.may_fail_to_load = True
    await visitor.context.set_offline(True)
    await visitor.page.wait_for_selector("#status-line:has-text('You are offline')")
    await api(visitor, "PATCH", f"/api/conversations/{visitor.conversation}", title="Meanwhile")
    await visitor.context.set_offline(False)
    await visitor.page.locator(ROWS, has_text="Meanwhile").wait_for()
    await visitor.page.locator("#status-line", has_text="offline").wait_for(state="detached")


async def test_a_page_whose_person_signs_out_elsewhere_says_so(visitor: Visitor) -> None:
    visitor.may_fail_to_load = True  # what it asks for in that moment is refused
    await visitor.play({"text": "hello"})
    await visitor.sees_end()
    await visitor.until(lambda: _heard(visitor, "pong"), "the socket is not open")
    await api(visitor, "POST", "/account/sign-out")
    await visitor.page.locator("#alert", has_text="signed out").wait_for()


async def block(socket: WebSocketRoute) -> None:
    await socket.close()


@pytest.mark.parametrize(("count", "blocked"), [(7, False), (6, True)])
async def test_many_tabs_are_live_at_once_and_no_request_is_starved(
    visitor: Visitor, count: int, blocked: bool
) -> None:
    if blocked:
        await visitor.context.route_web_socket("**/ws/chat/", block)
        await visitor.reload()
    await visitor.play({"text": "to be known"})
    await visitor.sees_end()
    tabs = [visitor, *[await visitor.tab() for _ in range(count - 1)]]
    for number, tab in enumerate(tabs):
        await tab.page.click(".new-button")
        script = ({"text": f"tab {number} "}, {"gate": visitor.gate}, {"text": "to the end"})
        await tab.play(*script)
        await tab.sees(f"tab {number}")
    async with asyncio.timeout(10):
        for tab in tabs:
            assert await tab.page.evaluate("fetch('/api/session').then((answer) => answer.ok)")
    visitor.open_gate()
    for number, tab in enumerate(tabs):
        await tab.sees_end()
        assert await tab.text() == f"tab {number} to the end"
        await tab.shows_what_is_stored()
    by_socket = [any('"delta"' in frame for frame in tab.frames) for tab in tabs]
    assert by_socket == [False] * 4 + [not blocked] * (count - 4)


async def test_without_sockets_the_list_is_looked_at_now_and_then(
    chromium: Browser, server: Server
) -> None:
    visitor = await Visitor.arrive(chromium, server)
    await visitor.context.route_web_socket("**/ws/chat/", block)
    await visitor.page.clock.install()
    await visitor.reload()
    await visitor.play({"text": "hello"})
    await visitor.page.clock.resume()
    await visitor.sees_end()
    async with visitor.page.expect_response("**/api/revision"):
        await visitor.page.clock.fast_forward(3_000)
    await api(visitor, "PATCH", f"/api/conversations/{visitor.conversation}", title="Elsewhere")

    async def is_found() -> bool:
        await visitor.page.clock.fast_forward(21_000)
        return bool(await visitor.page.locator(ROWS, has_text="Elsewhere").count())

    await visitor.until(is_found, "what changed elsewhere is not listed")
    await visitor.leave()
    assert visitor.complaints() == []


async def test_an_editor_stays_while_another_tab_turns_to_another_version(visitor: Visitor) -> None:
    await visitor.play({"text": "first"})
    await visitor.sees_end()
    other = await visitor.tab(f"/c/{visitor.conversation}")
    await other.sees("first")
    await visitor.page.get_by_role("button", name="Edit").click()
    editor = visitor.page.get_by_role("textbox", name="Edit the message")
    await editor.fill("half a thought")
    async with visitor.page.expect_response("**/messages"):
        await other.page.get_by_role("button", name="Edit").click()
        again = json.dumps({"steps": [{"text": "second"}, {"gate": visitor.gate}]})
        await other.page.get_by_role("textbox", name="Edit the message").fill(again)
        await other.page.get_by_role("button", name="Save & send").click()
        await other.sees("second")
    question = visitor.page.locator("article.question")
    onward = question.locator("[aria-label='Next version'][aria-disabled=false]")
    await onward.wait_for(state="attached")
    await expect(editor).to_have_value("half a thought")
    assert await visitor.text() == "first"
    await visitor.page.get_by_role("button", name="Cancel").click()
    await onward.click()
    await visitor.sees("second")
    visitor.open_gate()
    for tab in (visitor, other):
        await tab.sees_end()
