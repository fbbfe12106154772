"""What a message offers: its versions, another try, another wording, an opinion, its end."""

import json
from typing import Any

import pytest
from playwright.async_api import Locator, Page, expect

from tests.browser.visitor import Visitor

pytestmark = pytest.mark.asyncio(loop_scope="session")


def script(*steps: dict[str, Any]) -> str:
    return json.dumps({"steps": list(steps)})


def versions(message: Locator) -> Locator:
    return message.get_by_role("group", name="Version")


async def step(message: Locator, way: str) -> None:
    await versions(message).get_by_role("button", name=way).click()


async def head(visitor: Visitor) -> str:
    path = f"{visitor.server.url}/api/conversations/{visitor.conversation}"
    answer = await (await visitor.context.request.get(path)).json()
    return str(answer["head"])


async def edit(visitor: Visitor, question: Locator, text: str) -> None:
    await question.hover()
    await question.get_by_role("button", name="Edit").click()
    await question.get_by_role("textbox").fill(text)


async def test_versions_of_a_reply_are_walked_through_and_the_choice_is_kept(
    visitor: Visitor,
) -> None:
    await visitor.play({"text": "an answer"})
    await visitor.sees_end()
    first = await visitor.reply.get_attribute("data-message")
    assert await versions(visitor.reply).is_hidden()
    await visitor.page.get_by_role("button", name="Regenerate", exact=True).click()
    await visitor.page.locator(f"article[data-message='{first}']").wait_for(state="detached")
    await visitor.sees_end()
    await visitor.say(script({"text": "and on"}))
    await visitor.sees("and on")
    await visitor.sees_end()
    last = await visitor.reply.get_attribute("data-message")
    assert await visitor.page.locator("article").count() == 4

    reply = visitor.page.locator("article.reply").first
    await step(reply, "Previous version")
    await visitor.page.locator(f"article[data-message='{first}']").wait_for()
    assert await versions(reply).inner_text() == "1/2"
    assert await visitor.page.locator("article").count() == 2
    await visitor.until(lambda: _is(head(visitor), first), "the choice is not kept")

    # The focus is on the way that was gone; the arrow keys go on.
    focused = "document.activeElement.getAttribute('aria-label')"
    assert await visitor.page.evaluate(focused) == "Previous version"
    await visitor.page.keyboard.press("ArrowRight")
    await visitor.sees("and on")
    await visitor.until(lambda: _is(head(visitor), last), "the choice is not kept")
    await visitor.reload()
    await visitor.sees("and on")
    assert await versions(reply).inner_text() == "2/2"


async def _is(found: Any, wanted: str | None) -> bool:
    return bool(await found == wanted)


async def test_a_question_is_edited_with_the_keyboard_and_its_first_wording_stays(
    visitor: Visitor,
) -> None:
    await visitor.play({"text": "to the first"})
    await visitor.sees_end()
    question = visitor.page.locator("article.question")
    await question.get_by_role("button", name="Edit").focus()
    await visitor.page.keyboard.press("Enter")
    field = question.get_by_role("textbox")
    await field.fill("given up")
    await visitor.page.keyboard.press("Escape")
    assert await question.locator(".question-text").is_visible()
    focused = "document.activeElement.title"
    assert await visitor.page.evaluate(focused) == "Edit"

    await visitor.page.keyboard.press("Enter")
    await field.fill(script({"text": "to the second"}))
    await visitor.page.keyboard.press("Enter")
    await visitor.sees("to the second")
    await visitor.sees_end()
    await visitor.shows_what_is_stored()
    assert await visitor.page.locator("article").count() == 2
    assert await versions(question).inner_text() == "2/2"
    await step(question, "Previous version")
    await visitor.sees("to the first")
    assert [m["role"] for m in await visitor.stored()] == ["user", "assistant"] * 2


async def test_another_model_can_answer_again(visitor: Visitor) -> None:
    await visitor.play({"text": "said by a script"})
    await visitor.sees_end()
    await visitor.page.get_by_role("button", name="Regenerate with another model").click()
    menu = visitor.page.get_by_role("menu")
    chosen = menu.get_by_role("menuitemradio", checked=True)
    assert "Scripted" in await chosen.inner_text()
    await menu.get_by_role("menuitemradio", name="Demo").click()
    await visitor.sees("demo provider")
    await visitor.page.click("#stop")
    await visitor.sees_end("stopped")
    assert (await visitor.stored_reply())["model"] == "demo"
    assert await versions(visitor.reply).inner_text() == "2/2"


async def test_what_is_deleted_makes_room_for_what_was_said_instead(visitor: Visitor) -> None:
    await visitor.play({"text": "to the first"})
    await visitor.sees_end()
    question = visitor.page.locator("article.question").first
    await edit(visitor, question, script({"text": "to the second"}))
    await question.get_by_role("button", name="Save & send").click()
    await visitor.sees("to the second")
    await visitor.sees_end()
    await visitor.play({"text": "and on"})
    await visitor.sees("and on")
    await visitor.sees_end()

    await question.hover()
    await question.get_by_role("button", name="Delete").click()
    dialog = visitor.page.get_by_role("dialog")
    assert "3 messages that follow" in await dialog.inner_text()
    await dialog.get_by_role("button", name="Cancel").click()
    assert len(await visitor.stored()) == 6
    await question.get_by_role("button", name="Delete").click()
    await dialog.get_by_role("button", name="Delete").click()
    await visitor.sees("to the first")
    assert len(await visitor.stored()) == 2

    await visitor.reply.get_by_role("button", name="More about this reply").click()
    await visitor.page.get_by_role("menuitem", name="Delete").click()
    await dialog.get_by_role("button", name="Delete").click()
    await visitor.page.locator("article.reply").wait_for(state="detached")
    assert [m["role"] for m in await visitor.stored()] == ["user"]


async def test_an_opinion_is_kept_with_its_comment(visitor: Visitor) -> None:
    await visitor.play({"text": "an answer"}, {"usage": [3, 2]})
    await visitor.sees_end()
    good = visitor.reply.get_by_role("button", name="Good reply")
    await good.click()
    await visitor.reply.get_by_role("button", name="Comment").click()
    dialog = visitor.page.get_by_role("dialog")
    long = "x" * 1990
    await dialog.get_by_role("textbox").fill(long)
    await dialog.get_by_text("10 characters left").wait_for()
    await dialog.get_by_role("textbox").press("End")
    await dialog.get_by_role("textbox").press_sequentially("y" * 12)
    await dialog.get_by_text("0 characters left").wait_for()
    await dialog.get_by_role("button", name="Send").click()

    async def kept() -> bool:
        reply = await visitor.stored_reply()
        return (reply["rating"], reply["comment"]) == (1, long + "y" * 10)

    await visitor.until(kept, "the opinion is not kept")
    await visitor.reload()
    await visitor.sees_end()
    assert await good.get_attribute("aria-pressed") == "true"
    assert await visitor.reply.get_by_role("button", name="Edit the comment").is_visible()

    await visitor.reply.get_by_role("button", name="More about this reply").click()
    await visitor.page.get_by_role("menuitem", name="Details").click()
    details = await dialog.inner_text()
    for told in ("Scripted", "Tokens written", "First text after", "Completed"):
        assert told in details
    await visitor.page.keyboard.press("Escape")
    await dialog.wait_for(state="detached")
    await expect(visitor.page.locator("dl.details")).to_have_count(0)  # nothing is left behind


async def test_a_message_is_copied_also_where_the_page_has_no_clipboard(visitor: Visitor) -> None:
    await visitor.play({"text": "a **bold** answer"})
    await visitor.sees_end()
    await visitor.page.evaluate("delete Navigator.prototype.clipboard")
    await visitor.reply.get_by_role("button", name="Copy").click()
    await visitor.reply.get_by_role("button", name="Copied").wait_for()
    await visitor.page.focus("#message")
    await visitor.page.keyboard.press("ControlOrMeta+v")
    assert await visitor.page.input_value("#message") == "a **bold** answer"
    question = visitor.page.locator("article.question")
    await question.hover()
    await question.get_by_role("button", name="Copy").click()
    await visitor.page.fill("#message", "")
    await visitor.page.keyboard.press("ControlOrMeta+v")
    assert json.loads(await visitor.page.input_value("#message"))["steps"]


async def test_another_tab_follows_a_choice_and_a_deletion(visitor: Visitor) -> None:
    await visitor.play({"text": "to the first"})
    await visitor.sees_end()
    question = visitor.page.locator("article.question")
    other = await visitor.tab(f"/c/{visitor.conversation}")
    await other.sees("to the first")
    await edit(visitor, question, script({"text": "to the second "}, {"gate": visitor.gate}))
    await question.get_by_role("button", name="Save & send").click()
    await other.sees("to the second")
    await step(question, "Previous version")
    await visitor.sees("to the first")
    assert await visitor.page.is_visible("#stop"), "the reply is written in another branch"
    visitor.open_gate()
    for tab in (visitor, other):
        await tab.sees_end()
        await tab.sees("to the first")
    await step(other.page.locator("article.question"), "Next version")
    await visitor.sees("to the second")
    await question.hover()
    await question.get_by_role("button", name="Delete").click()
    await visitor.page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    for tab in (visitor, other):
        await tab.sees("to the first")
        assert await versions(tab.page.locator("article.question")).is_hidden()


async def test_what_is_refused_is_taken_back_and_loses_no_word(visitor: Visitor) -> None:
    await visitor.play({"text": "as it was"})
    await visitor.sees_end()
    visitor.may_fail_to_load = True
    error = {"code": "too_many_runs", "message": "Too many at once.", "retryable": True}
    refusal = {"status": 429, "json": {"error": error}}
    await visitor.page.route("**/api/messages/*/*", lambda route: route.fulfill(**refusal))
    await visitor.page.get_by_role("button", name="Regenerate", exact=True).click()
    await visitor.page.get_by_text("Too many at once.").wait_for()
    await visitor.sees("as it was")
    assert await versions(visitor.reply).is_hidden()
    question = visitor.page.locator("article.question")
    await edit(visitor, question, "in other words")
    await question.get_by_role("button", name="Save & send").click()
    await visitor.page.get_by_text("Too many at once.").wait_for()
    assert await question.get_by_role("textbox").input_value() == "in other words"
    await visitor.page.keyboard.press("Escape")
    await visitor.sees("as it was")
    good = visitor.reply.get_by_role("button", name="Good reply")
    await good.click()
    await visitor.reply.get_by_role("button", name="Good reply", pressed=False).wait_for()
    assert (await visitor.stored_reply())["rating"] == 0


async def test_an_opinion_that_is_changed_at_once_is_sent_after_the_first(visitor: Visitor) -> None:
    await visitor.play({"text": "an answer"})
    await visitor.sees_end()
    asked = await visitor.hold("**/feedback")
    await visitor.reply.get_by_role("button", name="Good reply").dblclick()

    async def sent(number: int) -> bool:
        return len(asked) == number

    await visitor.until(lambda: sent(1), "no word was sent")
    await visitor.page.evaluate("() => new Promise(requestAnimationFrame)")
    assert await sent(1)
    await asked[0].continue_()
    await visitor.until(lambda: sent(2), "the second word was not sent")
    await asked[1].continue_()
    await visitor.reply.get_by_role("button", name="Good reply", pressed=False).wait_for()
    await visitor.until(lambda: has_rating(visitor, 0), "another word stands")


async def has_rating(visitor: Visitor, rating: int) -> bool:
    return bool((await visitor.stored_reply())["rating"] == rating)


async def test_a_connection_that_stays_away_is_said_and_can_be_tried_at_once(
    visitor: Visitor,
) -> None:
    visitor.may_fail_to_load = True
    await visitor.play({"text": "before "}, {"gate": visitor.gate}, {"text": "and after"})
    await visitor.sees("before")
    await visitor.context.set_offline(True)
    reconnect = visitor.reply.get_by_role("button", name="Reconnect")
    await reconnect.wait_for()
    assert "The reply goes on" in await visitor.reply.inner_text()
    await reconnect.click()
    await visitor.context.set_offline(False)
    await reconnect.wait_for(state="detached")
    visitor.open_gate()
    await visitor.sees("before and after")
    await visitor.sees_end()
    await visitor.shows_what_is_stored()


async def test_a_message_can_be_edited_and_switched_in_a_narrow_window(visitor: Visitor) -> None:
    await visitor.page.set_viewport_size({"width": 320, "height": 640})
    await visitor.play({"text": "narrow"}, {"usage": [3, 2]})
    await visitor.sees_end()
    question = visitor.page.locator("article.question")
    await edit(visitor, question, script({"text": "waters"}))
    assert await _fits(visitor.page)
    await question.get_by_role("button", name="Save & send").click()
    await visitor.sees("waters")
    await visitor.sees_end()
    assert await _fits(visitor.page)
    await step(question, "Previous version")
    await visitor.sees("narrow")


async def _fits(page: Page) -> bool:
    return bool(
        await page.evaluate(
            "document.documentElement.scrollWidth <= innerWidth &&"
            " [...document.querySelectorAll('article button')].every((e) => !e.offsetWidth ||"
            " e.getBoundingClientRect().right <= innerWidth)"
        )
    )
