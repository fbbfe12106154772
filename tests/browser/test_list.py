"""The list of conversations: dates, menus, undo, archive, search, settings, drafts, prompts."""

import asyncio
import json
from typing import Any

import pytest
from playwright.async_api import Browser, Locator, Page, Route, expect

from tests.browser.visitor import Visitor
from tests.integration.servers import Server

pytestmark = pytest.mark.asyncio(loop_scope="session")


def rows(visitor: Visitor) -> Locator:
    return visitor.page.locator(".conversation-row:visible")


async def titles(visitor: Visitor) -> list[str]:
    return await rows(visitor).locator(".conversation-link").all_inner_texts()


async def lists(visitor: Visitor, *expected: str) -> None:
    """Wait until these are the rows."""

    async def listed() -> bool:
        return await titles(visitor) == list(expected)

    await visitor.until(listed, f"not listed: {expected}")


async def choose(visitor: Visitor, title: str, item: str) -> None:
    """Open the menu of a row and take one of its items."""
    row = rows(visitor).filter(has_text=title)
    await row.hover()
    await row.get_by_role("button").click()
    await visitor.page.get_by_role("menuitem", name=item, exact=True).click()


async def call(visitor: Visitor, method: str, path: str, body: Any = None) -> Any:
    """Ask the API as this person, beside the page."""
    cookies = await visitor.context.cookies()
    token = next((one["value"] for one in cookies if one["name"] == "csrftoken"), "")
    answer = await visitor.context.request.fetch(
        visitor.server.url + path, method=method, data=body, headers={"X-CSRFToken": token}
    )
    assert answer.ok, await answer.text()
    return await answer.json() if await answer.body() else None


async def conversation(visitor: Visitor, title: str) -> str:
    return str((await call(visitor, "POST", "/api/conversations", {"title": title}))["id"])


async def test_conversations_are_listed_by_date_and_renamed(visitor: Visitor) -> None:
    for title in ("a first one", "a second one"):
        await visitor.page.click(".new-button")
        await visitor.choose("scripted")
        await visitor.say(title)
        await visitor.sees_end()
    await lists(visitor, "a second one", "a first one")
    assert await visitor.page.locator(".group-heading").all_inner_texts() == ["Today"]
    await choose(visitor, "a second one", "Rename")
    await visitor.page.fill("#dialog-input", "another name")
    await visitor.page.press("#dialog-input", "Enter")
    await visitor.page.locator("#title", has_text="another name").wait_for()
    await choose(visitor, "a first one", "Pin")
    await lists(visitor, "a first one", "another name")
    await expect(visitor.page.locator(".group-heading")).to_have_text(["Pinned", "Today"])
    await visitor.reload()
    await lists(visitor, "a first one", "another name")


async def test_a_deletion_is_taken_back_in_mid_reply(visitor: Visitor) -> None:
    await visitor.play({"text": "here "}, {"gate": visitor.gate}, {"text": "and there"})
    await visitor.sees("here")
    opened = visitor.conversation
    await choose(visitor, "", "Delete")  # the only one; its title is still to come
    await visitor.page.wait_for_url("**/")
    await lists(visitor)
    await visitor.page.get_by_role("button", name="Undo").click()
    await visitor.page.wait_for_url(f"**/c/{opened}")
    await expect(rows(visitor)).to_have_count(1)
    await visitor.sees("here")
    visitor.open_gate()
    await visitor.sees("here and there")
    await visitor.sees_end()
    await visitor.shows_what_is_stored()


async def test_a_deletion_that_is_not_taken_back_is_done_when_its_note_goes(
    visitor: Visitor,
) -> None:
    for title in ("kept", "doomed"):
        await conversation(visitor, title)
    await visitor.reload()
    async with visitor.page.expect_response(lambda r: r.request.method == "DELETE") as deleted:
        await choose(visitor, "doomed", "Delete")
        await lists(visitor, "kept")
        await expect(rows(visitor).locator(".conversation-link")).to_be_focused()
    assert (await deleted.value).status == 204
    await visitor.reload()
    await lists(visitor, "kept")


async def test_a_deletion_is_sent_at_once_when_the_page_is_left(visitor: Visitor) -> None:
    doomed = await conversation(visitor, "doomed")
    await visitor.reload()
    await choose(visitor, "doomed", "Delete")
    await visitor.page.goto("about:blank")
    path = f"{visitor.server.url}/api/conversations/{doomed}"

    async def gone() -> bool:
        return (await visitor.context.request.get(path)).status == 404

    await visitor.until(gone, "the conversation is still there")


async def test_what_is_archived_has_a_list_of_its_own(visitor: Visitor) -> None:
    for title in ("old", "new"):
        await conversation(visitor, title)
    await visitor.reload()
    await choose(visitor, "old", "Archive")
    await lists(visitor, "new")
    await visitor.page.get_by_role("button", name="Undo").click()
    await lists(visitor, "new", "old")
    await choose(visitor, "old", "Archive")
    await lists(visitor, "new")
    await visitor.page.click("#archived-toggle")
    await lists(visitor, "old")
    await choose(visitor, "old", "Unarchive")
    await lists(visitor)
    await visitor.page.get_by_text("Nothing is archived.").wait_for()
    await visitor.page.click("#archived-toggle")
    await lists(visitor, "new", "old")


async def test_more_conversations_come_while_one_scrolls_and_else_by_the_button(
    visitor: Visitor,
) -> None:
    for number in range(65):
        await conversation(visitor, f"number {number}")
    await visitor.page.route("**/api/conversations?before=*", lambda route: route.abort())
    visitor.may_fail_to_load = True
    await visitor.reload()
    await rows(visitor).first.wait_for()
    assert await rows(visitor).count() == 30
    await rows(visitor).last.scroll_into_view_if_needed()
    await visitor.page.locator("#alert:visible").wait_for()
    await visitor.page.unroute("**/api/conversations?before=*")
    await visitor.page.click("#load-more")

    async def all_of_them() -> bool:
        await rows(visitor).last.scroll_into_view_if_needed()
        return len(set(await titles(visitor))) == 65

    await visitor.until(all_of_them, "not all are listed")
    await visitor.page.wait_for_selector("#load-more", state="hidden")


async def test_a_search_finds_marks_and_leads_to_the_message(visitor: Visitor) -> None:
    line = {"text": "a line of its own\n\n", "repeat": 40}
    await visitor.play(line, {"text": "here is the Bowline, tied\n\n"}, line)
    await visitor.sees_end()
    opened = visitor.conversation
    archived = await conversation(visitor, "Bowline, too")
    await call(visitor, "PATCH", f"/api/conversations/{archived}", {"archived": True})
    await visitor.open("/")
    await visitor.page.fill("#search", "bowLINE")
    results = visitor.page.locator("#results li")
    await visitor.page.get_by_text("2 conversations found").wait_for()
    texts = await results.all_inner_texts()
    assert "Archived" in texts[0]
    assert "here is the Bowline, tied" in texts[1]
    marks = visitor.page.locator("#results mark")
    assert set(await marks.all_inner_texts()) == {"Bowline"}
    await visitor.page.press("#search", "ArrowDown")
    await visitor.page.keyboard.press("ArrowDown")
    await visitor.page.keyboard.press("Enter")
    await visitor.page.wait_for_url(f"**/c/{opened}")
    found = visitor.reply.get_by_text("Bowline")
    await found.wait_for()
    in_view = """e => { const { top } = e.getBoundingClientRect();
        return top > 60 && top < innerHeight - 120 && CSS.highlights.has("found") }"""
    await visitor.until(lambda: found.evaluate(in_view), "the hit is not in view")
    await visitor.page.press("#search", "Escape")
    assert await visitor.page.input_value("#search") == ""
    await rows(visitor).first.wait_for()


async def test_a_hit_in_another_branch_is_shown(visitor: Visitor) -> None:
    await visitor.play({"text": "the first version"})
    await visitor.sees_end()
    question = (await visitor.stored())[0]["id"]
    await call(visitor, "POST", f"/api/messages/{question}/edit", {"content": "another"})
    await visitor.open("/")
    await visitor.page.fill("#search", "first version")
    await visitor.page.locator("#results a").click()
    await visitor.sees("the first version")


async def test_the_latest_search_counts_and_a_failed_one_says_so(visitor: Visitor) -> None:
    for title in ("alpha", "beta"):
        await conversation(visitor, title)
    held: list[Route] = []
    asked = asyncio.Event()

    async def hold(route: Route) -> None:
        if "search=alpha" in route.request.url:
            held.append(route)
            asked.set()
        else:
            await route.continue_()

    await visitor.page.route("**/api/conversations?search=*", hold)
    await visitor.page.fill("#search", "alpha")
    await asyncio.wait_for(asked.wait(), 10)
    await visitor.page.fill("#search", "beta")
    results = visitor.page.locator("#results li")
    await results.filter(has_text="beta").wait_for()
    assert await results.count() == 1
    await visitor.page.fill("#search", "gamma")
    await visitor.page.get_by_text("Nothing found.").wait_for()
    visitor.may_fail_to_load = True
    await visitor.page.route("**/api/conversations?search=delta", lambda route: route.abort())
    await visitor.page.fill("#search", "delta")
    await visitor.page.get_by_text("The server cannot be reached.").wait_for()
    await visitor.page.unroute("**/api/conversations?search=delta")
    await visitor.page.locator("#search-note").get_by_role("button").click()
    await visitor.page.get_by_text("Nothing found.").wait_for()


async def test_enter_opens_what_was_found_for_these_words_alone(visitor: Visitor) -> None:
    page = visitor.page
    for word in ("cormorant", "pelican"):
        await page.goto(visitor.server.url)
        await visitor.play({"text": word})
        await visitor.sees_end()
    pelican = page.url
    held = await visitor.hold("**/api/conversations?search=pelican")
    await page.fill("#search", "cormorant")
    await page.locator("#results li").wait_for()
    await page.fill("#search", "pelican")
    await page.press("#search", "Enter")
    assert page.url == pelican

    async def is_asked() -> bool:
        return bool(held)

    await visitor.until(is_asked, "nothing was looked for")
    await page.press("#search", "Enter")
    assert page.url == pelican
    await page.goto(visitor.server.url)


async def test_settings_hold_for_the_conversation_and_for_a_new_one_once_it_is_there(
    visitor: Visitor,
) -> None:
    page = visitor.page
    await page.click("#settings-open")
    await page.get_by_label("System prompt").fill("Be brief.")
    await page.get_by_label("Temperature").fill("3")
    await page.get_by_role("button", name="Save").click()
    assert await page.locator("dialog.settings").is_visible()
    await page.get_by_label("Temperature").fill("0.5")
    await page.get_by_role("button", name="Save").click()
    await page.locator("dialog.settings").wait_for(state="detached")
    await visitor.play({"text": "hello"})
    await visitor.sees_end()
    path = f"/api/conversations/{visitor.conversation}"
    stored = await call(visitor, "GET", path)
    assert (stored["system_prompt"], stored["settings"]) == ("Be brief.", {"temperature": 0.5})
    await page.click("#settings-open")
    assert await page.get_by_label("System prompt").input_value() == "Be brief."
    await page.get_by_label("Temperature").fill("")
    await page.get_by_label("Maximum length").fill("100")
    await page.get_by_label("Model").last.select_option("demo")
    await page.keyboard.press("Tab")
    await page.get_by_role("button", name="Save").click()
    await page.locator("dialog.settings").wait_for(state="detached")
    stored = await call(visitor, "GET", path)
    assert (stored["settings"], stored["model"]) == ({"max_output_tokens": 100}, "demo")
    await expect(page.locator("#model")).to_have_value("demo")
    await page.click(".new-button")
    await page.click("#settings-open")
    assert await page.get_by_label("System prompt").input_value() == ""


async def test_drafts_are_kept_per_conversation_until_they_are_sent(visitor: Visitor) -> None:
    page = visitor.page
    await visitor.play({"text": "hello"})
    await visitor.sees_end()
    opened = visitor.conversation
    await page.fill("#message", "begun here")
    await page.click(".new-button")
    assert await page.input_value("#message") == ""
    await page.fill("#message", "begun anew")
    await visitor.reload()
    assert await page.input_value("#message") == "begun anew"
    await page.click(f"a[href='/c/{opened}']")
    assert await page.input_value("#message") == "begun here"
    other = await visitor.context.new_page()
    await other.goto(page.url)
    await expect(other.locator("#message")).to_have_value("begun here")
    await other.close()
    await visitor.say("sent now")
    await visitor.sees_end()
    await visitor.reload()
    assert await page.input_value("#message") == ""
    await page.click(".new-button")
    assert await page.input_value("#message") == "begun anew"
    await page.evaluate("dispatchEvent(new Event('holdfast:leaving'))")
    await visitor.reload()
    assert await page.input_value("#message") == ""


async def test_a_browser_that_forbids_storage_does_no_harm(
    chromium: Browser, server: Server
) -> None:
    visitor = await Visitor.arrive(chromium, server)
    await visitor.context.add_init_script(
        """Object.defineProperty(window, "localStorage", {
             get() { throw new DOMException("no", "SecurityError"); } })"""
    )
    await visitor.reload()
    await visitor.play({"text": "hello"})
    await visitor.sees_end()
    await visitor.leave()
    assert visitor.complaints() == []


async def prompt_names(page: Page) -> list[str]:
    return await page.locator("#prompt-list [role=option] strong").all_inner_texts()


async def test_prompts_are_written_once_and_inserted_with_a_slash(visitor: Visitor) -> None:
    page = visitor.page
    await visitor.play({"text": "hello"})
    await visitor.sees_end()
    await page.locator("#message").press_sequentially("/")
    await page.get_by_role("option", name="Manage prompts").click()
    await page.get_by_role("button", name="New prompt").click()
    for name, content in (("summary", "Sum this up:\n"), ("translate", "Translate this:")):
        if name == "translate":
            await page.get_by_role("button", name="New prompt").click()
        await page.get_by_label("Name").fill(name)
        await page.get_by_label("Text", exact=True).fill(content)
        await page.get_by_role("button", name="Save").click()
        await page.get_by_role("button", name=f"Edit {name}").wait_for()
    await page.keyboard.press("Escape")
    await page.locator("dialog.prompts").wait_for(state="detached")
    field = page.locator("#message")
    await field.press_sequentially("/")
    await page.locator("#prompt-list").wait_for()
    assert await prompt_names(page) == ["summary", "translate", "Manage prompts…"]
    await field.press("ArrowDown")
    option = await field.get_attribute("aria-activedescendant")
    assert "translate" in await page.locator(f"#{option}").inner_text()
    await field.press("Escape")
    assert not await page.is_visible("#prompt-list")
    await field.fill("")
    await field.press_sequentially("/su")
    await page.locator("#prompt-list").wait_for()
    assert await prompt_names(page) == ["summary"]
    await field.press("Enter")
    assert await field.input_value() == "Sum this up:\n"
    assert len(await visitor.stored()) == 2
    await field.fill("")
    await field.press_sequentially("/etc/hosts")
    assert not await page.is_visible("#prompt-list")


async def test_a_list_that_cannot_be_read_says_so_and_is_read_again(visitor: Visitor) -> None:
    await conversation(visitor, "there")
    visitor.may_fail_to_load = True
    refused = json.dumps({"error": {"code": "internal", "message": "Broken.", "retryable": True}})

    async def break_it(route: Route) -> None:
        await route.fulfill(status=500, content_type="application/json", body=refused)

    await visitor.page.route("**/api/conversations", break_it)
    await visitor.reload()
    note = visitor.page.locator("#list-note")
    await note.get_by_text("Broken.").wait_for()
    await visitor.page.unroute("**/api/conversations")
    # The page may have read it again by itself meanwhile: then there is no button any more.
    await visitor.page.evaluate("document.querySelector('#list-note button')?.click()")
    await lists(visitor, "there")
    assert not await visitor.page.is_visible("#list-skeleton")


async def test_nothing_shifts_while_the_page_loads(visitor: Visitor) -> None:
    for number in range(5):
        await conversation(visitor, f"number {number}")
    await visitor.context.add_init_script(
        """window.shifted = 0;
        new PerformanceObserver((list) => {
          for (const entry of list.getEntries()) window.shifted += entry.value;
        }).observe({ type: "layout-shift", buffered: true });"""
    )
    await visitor.reload()
    await rows(visitor).last.wait_for()
    await visitor.page.evaluate(
        "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
    )
    assert await visitor.page.evaluate("window.shifted") < 0.002
