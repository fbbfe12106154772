"""What a person wrote or saw stays, whatever the server says to it."""

import pytest

from tests.browser.visitor import Visitor

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_what_cannot_be_drawn_is_shown_as_it_was_written(visitor: Visitor) -> None:
    await visitor.play({"text": "a first reply"})
    await visitor.sees_end()
    visitor.may_fail_to_load = True
    await visitor.page.evaluate(
        """() => { const { console } = window; window.said = [];
          console.error = (error) => said.push(String(error));
          DocumentFragment.prototype.querySelectorAll = () => { throw new TypeError("broken"); } }"""
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
    await page.unroute_all()
    visitor.open_gate()
    await visitor.reply.get_by_role("button", name="Reconnect").click()
    await visitor.sees_end()
    assert await visitor.text() == "before and after"
    assert len(await visitor.stored()) == 2
