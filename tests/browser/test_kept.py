"""What a person wrote or saw stays, whatever the server says to it."""

import asyncio
from typing import Any

import pytest
from playwright.async_api import Dialog, Route, WebSocketRoute, expect

from tests.browser.test_people import PASSWORD, choose, sign_up
from tests.browser.visitor import Visitor

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_what_cannot_be_drawn_is_shown_as_it_was_written(visitor: Visitor) -> None:
    await visitor.play({"text": "a first reply"})
    await visitor.sees_end()
    visitor.may_fail_to_load = True
    await visitor.page.evaluate(
        """() => {
          window.said = [];
          console.error = (error) => said.push(String(error));
          DocumentFragment.prototype.querySelectorAll = () => { throw new TypeError("broken"); };
        }"""
    )
    await visitor.play({"text": "**bold** "}, {"gate": visitor.gate}, {"text": "words"})
    await visitor.sees("**bold**")
    visitor.open_gate()
    await visitor.sees_end()
    assert await visitor.text() == "**bold** words"
    assert await visitor.page.evaluate("said") == ["TypeError: broken"]
    assert await visitor.page.locator("article").count() == 4


async def test_a_reply_that_was_begun_is_not_taken_back_when_the_session_ends(
    visitor: Visitor,
) -> None:
    page = visitor.page
    await visitor.play({"text": "before "}, {"gate": visitor.gate}, {"text": "and after"})
    await visitor.sees("before")
    visitor.may_fail_to_load = True
    error = {"code": "not_signed_in", "message": "You are not signed in.", "retryable": False}
    await page.route(
        "**/api/runs/*/events*", lambda route: route.fulfill(status=401, json={"error": error})
    )
    await visitor.context.set_offline(True)
    await page.wait_for_selector("#status-line:has-text('offline')")
    await visitor.context.set_offline(False)
    await page.locator("#alert", has_text="signed out").wait_for()
    assert await visitor.text() == "before"
    assert await page.locator("article.question").count() == 1
    assert await page.input_value("#message") == ""
    await visitor.reply.get_by_role("button", name="Reconnect").wait_for()
    await page.unroute_all()
    visitor.open_gate()
    await visitor.reload()
    await visitor.sees_end()
    assert await visitor.text() == "before and after"
    assert len(await visitor.stored()) == 2


def answers(status: int, code: str, *, after: asyncio.Event | None = None) -> Any:
    """Refuse whatever changes something, once it is time."""

    async def answer(route: Route) -> None:
        if route.request.method == "GET":
            return await route.continue_()
        if after:
            await after.wait()
        error = {"code": code, "message": "Not now.", "retryable": True}
        await route.fulfill(status=status, json={"error": error}, headers={"Retry-After": "600"})

    return answer


async def test_a_refused_question_stands_before_what_was_typed_meanwhile(
    visitor: Visitor,
) -> None:
    page, field = visitor.page, visitor.page.locator("#message")
    await visitor.play({"text": "hello"})
    await visitor.sees_end()
    opened = visitor.conversation
    visitor.may_fail_to_load = True
    now = asyncio.Event()
    await page.route("**/messages", answers(429, "too_many_runs", after=now))
    await visitor.say("the first question")
    await field.fill("typed meanwhile")
    now.set()
    await expect(field).to_have_value("the first question\n\ntyped meanwhile")
    await expect(page.locator("article.question")).to_have_count(1)

    now.clear()
    await page.route("**/api/conversations", answers(429, "too_many_runs", after=now))
    await page.click(".new-button")
    await visitor.say("begins another")
    await field.fill("and goes on")
    await page.wait_for_url(lambda url: "/c/" in url and opened not in url)
    row = page.locator(f"a[href='/c/{visitor.conversation}']")
    await page.click(f"a[href='/c/{opened}']")
    now.set()
    await row.wait_for(state="detached")
    await expect(field).to_have_value("the first question\n\ntyped meanwhile")
    await page.click(".new-button")
    await expect(field).to_have_value("begins another\n\nand goes on")


async def test_what_was_sent_and_did_not_arrive_is_sent_by_the_next_page_once(
    visitor: Visitor,
) -> None:
    page = visitor.page
    await visitor.play({"text": "hello"})
    await visitor.sees_end()
    visitor.may_fail_to_load = True
    waits = page.locator("#status-line", has_text="Not sent yet")
    await page.route("**/api/conversations", answers(503, "draining"))
    await page.click(".new-button")
    await visitor.play({"text": "it arrived"})
    await waits.wait_for()
    await page.fill("#message", "begun since")
    await page.unroute_all()
    await visitor.reload()
    await visitor.sees("it arrived")
    await visitor.sees_end()
    await expect(page.locator("#message")).to_have_value("begun since")
    assert len(await visitor.stored()) == 2
    conversation = visitor.conversation

    await page.route("**/api/messages/*/edit", answers(503, "draining"))
    question = page.locator("article.question")
    await question.hover()
    await question.get_by_role("button", name="Edit").click()
    await question.get_by_role("textbox").fill("in other words")
    await question.get_by_role("button", name="Save & send").click()
    await waits.wait_for()
    await page.unroute_all()
    await visitor.open("/")

    async def arrived() -> bool:
        stored = await visitor.stored(conversation)
        return [one["content"] for one in stored if one["role"] == "user"][1:] == ["in other words"]

    await visitor.until(arrived, "the other version is not sent")
    kept = "Object.values(localStorage).some((it) => it.includes('in other words'))"
    await visitor.until(lambda: _not(page.evaluate(kept)), "it is kept although it arrived")


async def _not(found: Any) -> bool:
    return not await found


async def test_a_draft_is_seen_by_nobody_else_and_waits_for_its_writer(visitor: Visitor) -> None:
    page, field = visitor.page, visitor.page.locator("#message")
    name = await sign_up(visitor)
    await field.fill("only for me")
    kept = "Object.values(localStorage).join().includes('only for me')"
    await visitor.until(lambda: page.evaluate(kept), "the draft is not kept")
    await visitor.context.clear_cookies()  # the session is over
    await visitor.reload()
    await page.get_by_role("link", name="Sign in").wait_for()
    await expect(field).to_have_value("")
    await page.get_by_role("link", name="Sign in").click()
    await page.fill("[name=username]", name)
    await page.fill("[name=password]", PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await expect(field).to_have_value("only for me")


async def test_the_browser_asks_before_it_lets_go_of_a_draft_that_it_could_not_keep(
    visitor: Visitor,
) -> None:
    page, field = visitor.page, visitor.page.locator("#message")
    asked: list[str] = []

    async def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        await dialog.dismiss()

    page.on("dialog", stay)
    await field.press("a")
    await field.fill("longer than a draft may be " * 4000)
    await visitor.until(lambda: page.evaluate("onbeforeunload !== null"), "nothing is guarded")
    await page.close(run_before_unload=True)
    await visitor.until(lambda: _is(asked == ["beforeunload"]), "nobody was asked")
    await field.fill("short enough")
    await visitor.until(lambda: page.evaluate("onbeforeunload === null"), "it is guarded on")


async def test_another_account_that_arrives_in_an_open_page_finds_nothing_of_the_one_before(
    visitor: Visitor,
) -> None:
    await sign_up(visitor)
    await visitor.play({"text": "for my eyes"})
    await visitor.sees_end()
    other = await visitor.tab()
    visitor.may_fail_to_load = other.may_fail_to_load = True
    row = other.page.locator(".conversation-row")
    await expect(row).to_have_count(1)
    await other.page.fill("#message", "only for me")
    await choose(visitor.page, "Sign out")
    await visitor.page.get_by_role("link", name="Sign in").wait_for()
    await other.page.locator("#alert", has_text="signed out").wait_for()
    name = await sign_up(visitor)
    await other.page.evaluate(
        "document.dispatchEvent(new Event('visibilitychange'))"
    )  # it is looked at
    await other.page.locator(".account-name", has_text=name).wait_for()
    await expect(other.page.locator("#message")).to_have_value("")
    await expect(row).to_have_count(0)


async def _is(fact: bool) -> bool:
    return fact


async def block(socket: WebSocketRoute) -> None:
    await socket.close()


async def test_an_opinion_is_shown_on_while_the_next_reply_is_written(visitor: Visitor) -> None:
    await visitor.context.route_web_socket("**/ws/chat/", block)
    await visitor.reload()
    await visitor.play({"text": "an answer"})
    await visitor.sees_end()
    judged = visitor.page.locator("article.reply").first
    await judged.get_by_role("button", name="Bad reply").click()
    await judged.get_by_role("button", name="Comment").click()
    dialog = visitor.page.get_by_role("dialog")
    await dialog.get_by_role("textbox").fill("too short")
    await dialog.get_by_role("button", name="Send").click()
    await judged.get_by_role("button", name="Edit the comment").wait_for()
    await visitor.play({"text": "and on "}, {"gate": visitor.gate})
    await visitor.sees("and on")
    await judged.get_by_role("button", name="Edit the comment").click()
    await expect(dialog.get_by_role("textbox")).to_have_value("too short")
    await visitor.page.keyboard.press("Escape")
    await expect(judged.get_by_role("button", name="Bad reply", pressed=True)).to_be_visible()
    visitor.open_gate()
    await visitor.sees_end()


async def test_a_note_waits_for_whoever_is_at_it(visitor: Visitor) -> None:
    page, clock = visitor.page, visitor.page.clock
    await visitor.play({"text": "hello"})
    await visitor.sees_end()
    rows, note = page.locator(".conversation-row"), page.locator("#toasts[role=status] .toast")
    await expect(rows).to_have_count(1)
    await clock.install()

    async def delete() -> None:
        await page.get_by_role("button", name="More about this conversation").click()
        await page.get_by_role("menuitem", name="Delete").click()
        await note.wait_for()
        await expect(rows).to_have_count(0)

    await delete()
    await page.get_by_role("button", name="Undo").focus()
    await clock.fast_forward(20_000)
    await page.keyboard.press("Enter")
    await expect(rows).to_have_count(1)

    await delete()
    await note.hover()
    await clock.fast_forward(20_000)
    await expect(note).to_be_visible()
    await page.mouse.move(0, 0)
    await clock.fast_forward(7_000)
    await expect(note).to_have_count(0)


async def test_a_model_that_is_kept_late_is_that_of_its_own_conversation(visitor: Visitor) -> None:
    page = visitor.page
    await visitor.play({"text": "hello"})
    await visitor.sees_end()
    opened = visitor.conversation
    now = asyncio.Event()

    async def late(route: Route) -> None:
        await now.wait()
        await route.continue_()

    await page.route(f"**/api/conversations/{opened}", late)
    async with page.expect_response(f"**/api/conversations/{opened}"):
        await visitor.choose("demo")
        await page.click(".new-button")
        await visitor.choose("scripted")
        now.set()
    await page.click(f"a[href='/c/{opened}']")
    await expect(page.locator("#model")).to_have_value("demo")
    assert await page.locator("#alert").is_hidden()
