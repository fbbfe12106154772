"""A reply on the page: sent, streamed, stopped, lost and found again."""

import asyncio
import json

import pytest
from playwright.async_api import Route, expect

from tests.browser.visitor import Visitor
from tests.integration.databases import count
from tests.integration.servers import Server

pytestmark = pytest.mark.asyncio(loop_scope="session")

WORDS = {"text": "the line holds in every sea ", "repeat": 40, "pause_ms": 20}
TOLD = "the line holds in every sea " * 40


async def test_a_reply_streams_to_its_end_and_equals_what_is_stored(visitor: Visitor) -> None:
    await visitor.play(WORDS | {"repeat": 20}, {"gate": visitor.gate}, WORDS | {"repeat": 20})
    await visitor.sees("the line holds")
    assert await visitor.reply.get_attribute("data-status") == "running"
    visitor.open_gate()
    await visitor.sees_end()
    await visitor.shows_what_is_stored()
    assert (await visitor.text()).split() == TOLD.split()


async def test_the_demo_model_streams_markdown_that_is_stored_as_it_was_said(
    visitor: Visitor,
) -> None:
    await visitor.choose("demo")
    await visitor.say("Show me")
    await visitor.sees_end(seconds=60)
    for selector in ("h2, h3", "pre code", "table", "li"):
        assert await visitor.reply.locator(selector).count() > 0, selector
    stored = await visitor.stored_reply()
    assert await visitor.reply.get_attribute("data-cursor") == stored["cursor"]
    shown = await visitor.text()
    await visitor.reload()
    await visitor.sees_end()
    assert await visitor.text() == shown


async def test_the_question_and_a_waiting_reply_are_shown_before_the_server_answers(
    visitor: Visitor,
) -> None:
    await visitor.page.route("**/api/conversations", lambda route: asyncio.sleep(0))
    await visitor.say("Is anybody there?")
    await visitor.page.locator("article.question", has_text="anybody").wait_for()
    assert await visitor.reply.get_attribute("data-status") == "running"
    assert await visitor.page.is_visible("#stop")
    await visitor.page.unroute("**/api/conversations")


async def test_looking_creates_nothing(castaway: Visitor) -> None:
    await castaway.page.wait_for_load_state("networkidle")
    assert count(castaway.server.database, "auth_user") == 0


async def test_stop_keeps_the_text_so_far(visitor: Visitor) -> None:
    await visitor.play({"text": "as far as this"}, {"gate": "never"}, {"text": " and beyond"})
    await visitor.sees("as far as this")
    await visitor.page.click("#stop")
    await visitor.sees_end("stopped")
    assert await visitor.text() == "as far as this"
    assert "Stopped." in await visitor.reply.inner_text()
    await visitor.shows_what_is_stored()


async def test_escape_stops_before_the_first_token(visitor: Visitor) -> None:
    await visitor.play({"gate": "never"}, {"text": "unsaid"})
    await visitor.page.wait_for_selector("#stop:visible")
    await visitor.page.keyboard.press("Escape")
    await visitor.sees_end("stopped")
    assert await visitor.text() == ""


async def test_a_cut_reply_is_continued_as_one(castaway: Visitor) -> None:
    await castaway.play({"text": "first half "}, {"gate": castaway.gate}, {"text": "second half"})
    await castaway.sees("first half")
    castaway.server.kill()
    castaway.open_gate()
    await castaway.server.restart()
    await castaway.sees_end("interrupted")
    await castaway.page.click("button:has-text('Continue')")
    await castaway.sees_end("completed")
    assert await castaway.text() == "first half second half"
    await castaway.shows_what_is_stored()
    assert len(await castaway.stored()) == 2


async def test_a_message_sent_while_the_server_is_down_arrives_once(castaway: Visitor) -> None:
    await castaway.play({"text": "first"})
    await castaway.sees_end()
    castaway.server.kill()
    await castaway.play({"text": "second"})
    await castaway.page.wait_for_selector("#status-line:has-text('Not sent yet')")
    await castaway.server.restart()
    await castaway.sees("second")
    await castaway.sees_end()
    assert [m["role"] for m in await castaway.stored()] == ["user", "assistant"] * 2


async def test_a_torn_answer_to_a_start_makes_no_second_reply(visitor: Visitor) -> None:
    visitor.may_fail_to_load = True
    attempts = []

    async def tear(route: object, request: object) -> None:
        # The server takes the first attempt; its answer never reaches the page.
        attempts.append(request.post_data)  # type: ignore[attr-defined]
        if len(attempts) == 1:
            path = f"{visitor.server.url}/api/conversations/{visitor.conversation}/messages"
            body = json.loads(attempts[0])
            cookies = await visitor.context.cookies()
            token = next(c["value"] for c in cookies if c["name"] == "csrftoken")
            await visitor.context.request.post(path, data=body, headers={"X-CSRFToken": token})
            await route.abort("connectionreset")  # type: ignore[attr-defined]
        else:
            await route.continue_()  # type: ignore[attr-defined]

    await visitor.page.route(
        "**/messages", lambda r, q: tear(r, q) if q.method == "POST" else r.continue_()
    )
    await visitor.play({"text": "said once"})
    await visitor.sees("said once")
    await visitor.sees_end()
    assert len(attempts) == 2
    assert attempts[0] == attempts[1]
    assert [m["role"] for m in await visitor.stored()] == ["user", "assistant"]


async def test_regenerate_asks_the_same_question_again(visitor: Visitor) -> None:
    await visitor.play({"text": "an answer"})
    await visitor.sees_end()
    first = await visitor.reply.get_attribute("data-message")
    await visitor.page.click("button:has-text('Regenerate')")
    await visitor.page.locator(f"article[data-message='{first}']").wait_for(state="detached")
    await visitor.sees("an answer")
    await visitor.sees_end()
    assert await visitor.reply.get_attribute("data-message") != first
    assert await visitor.page.locator("article").count() == 2
    assert [m["role"] for m in await visitor.stored()] == ["user", "assistant", "assistant"]


async def test_an_answer_that_was_long_on_its_way_does_not_bring_an_older_reply_back(
    visitor: Visitor,
) -> None:
    late: list[Route] = []
    shown = asyncio.Event()

    async def hold(route: Route) -> None:
        if route.request.method == "GET" and not late:
            late.append(route)
            answer = await route.fetch()
            await shown.wait()
            await route.fulfill(response=answer)
        else:
            await route.continue_()

    await visitor.page.route("**/messages", hold)
    await visitor.play({"text": "an answer"})
    await visitor.sees_end()
    first = await visitor.reply.get_attribute("data-message")
    await visitor.until(lambda: visitor.page.is_visible("button:has-text('Regenerate')"), "no end")
    await visitor.page.click("button:has-text('Regenerate')")
    await visitor.page.locator(f"article[data-message='{first}']").wait_for(state="detached")
    await visitor.sees_end()
    shown.set()
    await late[0].request.response()
    await visitor.page.evaluate("() => new Promise(requestAnimationFrame)")
    assert await visitor.page.locator("article").count() == 2
    assert await visitor.reply.get_attribute("data-message") != first


async def test_a_failure_is_said_in_words_and_can_be_tried_again(visitor: Visitor) -> None:
    await visitor.play({"fail": "upstream_unreachable"})
    await visitor.sees_end("failed")
    assert "could not be reached" in await visitor.reply.inner_text()
    await visitor.reply.get_by_role("button", name="Try again").wait_for()


async def test_a_refused_message_goes_back_to_the_composer(visitor: Visitor) -> None:
    await visitor.play({"text": "hello"})
    await visitor.sees_end()
    visitor.may_fail_to_load = True
    too_long = "x" * 200_001
    await visitor.say(too_long)
    await visitor.page.wait_for_selector("#alert:visible")
    await expect(visitor.page.locator("#message")).to_have_value(too_long)
    await expect(visitor.page.locator("article")).to_have_count(2)


async def test_reasoning_is_folded_away(visitor: Visitor) -> None:
    await visitor.play({"reasoning": "let me think"}, {"text": "done"})
    await visitor.sees_end()
    assert await visitor.text() == "done"
    reasoning = visitor.reply.locator("details.reasoning")
    assert "let me think" in str(await reasoning.text_content())
    assert await reasoning.get_attribute("open") is None


async def test_a_reader_who_scrolls_up_is_left_alone(visitor: Visitor) -> None:
    long = {"text": "a line of its own\n\n", "repeat": 60}
    await visitor.play(long, {"gate": visitor.gate}, long)

    async def is_drawn() -> bool:
        return (await visitor.text()).count("a line of its own") == 60

    await visitor.until(is_drawn, "the first half is not drawn")
    viewport = visitor.page.locator("#transcript")
    at_end = "e => e.scrollHeight - e.scrollTop - e.clientHeight < 4"
    await visitor.until(lambda: viewport.evaluate(at_end), "the page did not follow the text")
    await viewport.evaluate("e => (e.scrollTop = 100)")
    await visitor.page.wait_for_selector("#jump:visible")
    visitor.open_gate()
    await visitor.sees_end()
    assert await viewport.evaluate("e => e.scrollTop") == 100
    await visitor.page.click("#jump")
    await visitor.until(lambda: viewport.evaluate(at_end), "the button did not lead to the end")
    await expect(visitor.page.locator("#jump")).to_be_hidden()


async def test_the_server_logs_no_error_for_all_this(visitor: Visitor, server: Server) -> None:
    mark = server.mark()
    await visitor.play(WORDS)
    await visitor.sees("every sea")
    await visitor.reload()
    await visitor.sees_end()
    assert server.errors(mark) == []
