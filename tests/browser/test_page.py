"""The page around the replies: composer, list, narrow screens, hostile text."""

from urllib.parse import urlsplit

import pytest
from playwright.async_api import Route, expect

from tests.browser.visitor import Visitor

pytestmark = pytest.mark.asyncio(loop_scope="session")

HOSTILE = """Look: <img src=x onerror="window.caught=1"> <script>window.caught=2</script>

[click](javascript:window.caught=3) ![picture](https://example.org/pixel.png)

<iframe srcdoc="<script>parent.caught=4</script>"></iframe>

[fine](https://example.org/) <b onclick="window.caught=5">bold</b>
"""


async def test_hostile_text_is_shown_and_does_nothing(visitor: Visitor) -> None:
    asked: list[str] = []
    visitor.page.on("request", lambda request: asked.append(request.url))
    await visitor.play({"text": HOSTILE})
    await visitor.sees_end()
    text = await visitor.text()
    assert "<script>window.caught=2</script>" in text
    assert "<iframe" in text
    for link in await visitor.reply.locator(".reply-text a").all():
        href = str(await link.get_attribute("href") or "")
        assert not href.startswith("javascript")
        assert await link.get_attribute("rel") == "noopener noreferrer nofollow"
    await visitor.reply.locator(".reply-text").get_by_text("click").first.click()
    assert await visitor.page.evaluate("window.caught") is None
    assert await visitor.reply.locator("img, script, iframe, b").count() == 0
    assert [url for url in asked if "example.org" in url] == []


async def test_markdown_is_rendered(visitor: Visitor) -> None:
    text = (
        "# Head\n\n- one\n- two\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n```py\nx = 1\n```\n\n**end**"
    )
    await visitor.play({"text": text})
    await visitor.sees_end()
    for selector in ("h1", "li", "td", "pre code.language-py", "strong"):
        assert await visitor.reply.locator(f".reply-text {selector}").count() > 0, selector


async def test_shift_enter_breaks_the_line_and_enter_sends(visitor: Visitor) -> None:
    await visitor.choose("scripted")
    field = visitor.page.locator("#message")
    await field.press_sequentially("one")
    height = (await field.bounding_box() or {})["height"]
    await field.press("Shift+Enter")
    await field.press_sequentially("two")
    assert (await field.bounding_box() or {})["height"] > height
    await field.press("Enter")
    await visitor.sees_end()
    assert (await visitor.stored())[0]["content"] == "one\ntwo"
    assert await field.evaluate("e => e === document.activeElement")


async def test_enter_that_takes_a_suggestion_of_an_input_method_does_not_send(
    visitor: Visitor,
) -> None:
    await visitor.page.fill("#message", "ni")
    await visitor.page.evaluate(
        """() => document.getElementById("message").dispatchEvent(new KeyboardEvent(
             "keydown", { key: "Enter", isComposing: true, bubbles: true, cancelable: true }))"""
    )
    assert await visitor.page.locator("article").count() == 0
    assert await visitor.page.input_value("#message") == "ni"


async def test_an_unknown_conversation_is_said_to_be_missing(visitor: Visitor) -> None:
    visitor.may_fail_to_load = True
    await visitor.open("/c/00000000-0000-4000-8000-000000000000")
    await visitor.page.get_by_text("There is nothing here").wait_for()


async def test_a_part_that_could_not_be_loaded_says_so_and_is_loaded_once_it_can_be(
    visitor: Visitor,
) -> None:
    page = visitor.page
    visitor.may_fail_to_load = True
    await page.route("**/settings*.js*", lambda route: route.abort())
    await page.click("#settings-open")
    await page.get_by_text("The server cannot be reached.").wait_for()
    await page.unroute_all()
    await page.click("#settings-open")
    await page.get_by_role("dialog", name="Settings").wait_for()


async def test_a_question_that_is_asked_before_the_models_are_known_leaves_the_choice_to_the_server(
    visitor: Visitor,
) -> None:
    page = visitor.page
    asked = await visitor.hold("**/api/models")
    await page.reload()
    async with page.expect_response("**/messages") as answered:
        await visitor.say("early")
    answer = await answered.value
    assert answer.status == 200
    assert "model" not in answer.request.post_data_json
    await page.click("#stop")
    await page.locator("#send").wait_for()
    for route in asked:
        await route.continue_()
    await page.wait_for_selector("#model option[value=scripted]", state="attached")


async def test_a_conversation_without_a_model_does_not_get_that_of_the_one_before(
    visitor: Visitor,
) -> None:
    page = visitor.page
    chosen = await page.input_value("#model")
    await visitor.play({"text": "by another model"})
    await visitor.sees_end()
    assert chosen != "scripted" == await page.input_value("#model")
    await page.evaluate("""async () => {
      const { ask } = await import("/static/conversations/js/api.js");
      await ask("/api/conversations", { method: "POST", body: { title: "without" } });
    }""")
    await page.get_by_role("link", name="without").click()
    await expect(page.locator("#model")).to_have_value(chosen)


async def test_a_conversation_that_is_still_being_read_is_asked_by_its_own_model(
    visitor: Visitor,
) -> None:
    page = visitor.page
    await visitor.choose("demo")
    await visitor.say("by the demo model")
    await visitor.sees_end()
    conversation = visitor.page.url
    await page.click(".new-button")
    await visitor.play({"text": "by another model"})
    await visitor.sees_end()
    await page.reload()
    held = await visitor.hold("**/api/conversations/*?messages=false")
    await page.locator(f"a[href='{urlsplit(conversation).path}']").first.dispatch_event("click")
    async with page.expect_request(lambda request: request.method == "POST") as asked:
        await visitor.say("and once more")
    assert "model" not in (await asked.value).post_data_json
    await visitor.sees_end()
    for route in held:
        await route.continue_()
    assert [one["model"] for one in await visitor.stored() if one["role"] == "assistant"] == [
        "demo"
    ] * 2


async def test_a_model_that_is_chosen_while_the_conversation_is_read_stays_chosen(
    visitor: Visitor,
) -> None:
    page = visitor.page
    await visitor.play({"text": "by the scripted model"})
    await visitor.sees_end()
    conversation = page.url
    await page.goto("about:blank")  # what that page still asks is not what is held
    held = await visitor.hold("**/api/conversations/*?messages=false")
    await page.goto(conversation)

    async def is_asked() -> bool:
        return bool(held)

    await visitor.until(is_asked, "the conversation is not read")
    stale = await held[0].fetch()
    async with page.expect_response(lambda answer: answer.request.method == "PATCH"):
        await visitor.choose("demo")
    await held[0].fulfill(response=stale)
    await visitor.sees("by the scripted model")
    assert await page.input_value("#model") == "demo"
    for route in held[1:]:
        await route.continue_()


async def test_a_page_that_meets_no_server_learns_who_is_here_once_there_is_one(
    visitor: Visitor,
) -> None:
    page = visitor.page
    await visitor.play({"text": "kept"})
    await visitor.sees_end()
    visitor.may_fail_to_load = True
    tries: list[Route] = []

    async def refuse(route: Route) -> None:
        tries.append(route)
        await route.abort()

    await page.route("**/api/session", refuse)
    await page.clock.install()
    await page.goto(visitor.server.url)

    async def has_tried_long() -> bool:
        await page.clock.run_for(15_000)
        return len(tries) > 9

    await visitor.until(has_tried_long, "the page has left off asking")
    await page.unroute_all()
    await page.clock.run_for(15_000)
    await expect(page.locator(".conversation-row")).to_have_count(1)
