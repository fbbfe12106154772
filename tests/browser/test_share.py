"""Share, export, import and print, as a person does them."""

import io
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser
from pypdf import PdfReader

from tests.browser.visitor import Visitor

FIXTURES = Path(__file__).parents[1] / "conversations" / "fixtures"

pytestmark = pytest.mark.asyncio(loop_scope="session")

SAID = "# Knots\n\nA **bowline** is a loop.\n\n```py\nloop = True\n```\n"


async def choose(visitor: Visitor, entry: str) -> None:
    """Choose in the menu of the open conversation."""
    await visitor.page.get_by_role("button", name="More about this conversation").click()
    await visitor.page.get_by_role("menuitem", name=entry).click()


async def test_a_conversation_is_shared_by_link_brought_up_to_date_and_taken_back(
    visitor: Visitor, chromium: Browser
) -> None:
    await visitor.play({"text": SAID})
    await visitor.sees_end()
    await choose(visitor, "Share")
    dialog = visitor.page.get_by_role("dialog", name="Share this conversation")
    await dialog.get_by_label("Title").fill("About knots")
    await dialog.get_by_role("button", name="Create link").click()
    link = dialog.get_by_label("Link", exact=True)
    await link.wait_for()
    address = await link.input_value()
    assert re.fullmatch(re.escape(visitor.server.url) + r"/s/[\w-]{43}", address)

    stranger = await chromium.new_context(java_script_enabled=False)
    plain = await stranger.new_page()
    await plain.goto(address)
    assert "A **bowline** is a loop." in await plain.inner_text("main")
    await stranger.close()

    reader = await chromium.new_context()
    page = await reader.new_page()
    page.on("console", visitor._hear)
    page.on("pageerror", lambda error: visitor.errors.append(str(error)))
    await page.goto(address)
    await page.wait_for_selector("strong:text('bowline')")
    assert await page.title() == "About knots · Holdfast"
    assert await page.locator("pre code").count() == 1
    assert "**" not in await page.locator(".shared-reply").inner_text()

    await dialog.get_by_label("Title").fill("All about knots")
    await dialog.get_by_role("button", name="Update link").click()
    await dialog.get_by_text("shows the newest state").wait_for()
    await page.reload()
    assert await page.inner_text("h1") == "All about knots"
    await dialog.get_by_role("button", name="Stop sharing").click()
    await dialog.get_by_text("leads nowhere").wait_for()
    response: Any = await reader.request.get(address)
    assert response.status == 404
    await reader.close()
    await visitor.page.keyboard.press("Escape")
    await dialog.wait_for(state="detached")


async def test_the_conversation_is_saved_as_a_file_with_its_title(visitor: Visitor) -> None:
    await visitor.play({"text": SAID})
    await visitor.sees_end()
    async with visitor.page.expect_download() as download:
        await choose(visitor, "Export as Markdown")
    saved = await download.value
    assert saved.suggested_filename.endswith(".md")
    text = (await saved.path()).read_text()
    assert SAID.strip() in text


async def test_a_long_export_shows_how_much_has_come_and_is_saved(visitor: Visitor) -> None:
    page = visitor.page
    await page.locator(".account-name", has_text="Guest").wait_for()  # the first answer is here
    async with page.expect_response("**/api/session"):  # which makes the visitor a known guest
        await visitor.play({"text": SAID})
    await visitor.sees_end()
    shown: list[bool] = []

    async def hold(route: Any) -> None:
        await page.get_by_role("progressbar").wait_for()
        shown.append(True)
        await route.continue_()

    await page.route("**/api/account/export", hold)
    await page.click(".account-button")
    await page.get_by_role("menuitem", name="Settings").click()
    async with page.expect_download() as download:
        await page.get_by_role("button", name="Export my data").click()
    saved = await download.value
    assert saved.suggested_filename.endswith(".json") and "account" in saved.suggested_filename
    assert SAID.split()[0] in (await saved.path()).read_text()
    await page.get_by_role("progressbar").wait_for(state="detached")
    assert shown == [True]


async def test_a_long_conversation_is_printed_whole(visitor: Visitor) -> None:
    words = " ".join(f"word{number}" for number in range(1500))
    code = "x = '" + "y" * 300 + "end_of_code'"
    await visitor.play(
        {"text": f"{words}\n\n```\n{code}\n```\n\n[a link](https://example.org/far)\n\nlast words"}
    )
    await visitor.sees_end()
    await visitor.page.emulate_media(color_scheme="dark")
    reader = PdfReader(io.BytesIO(await visitor.page.pdf()))
    printed = "".join(page.extract_text() for page in reader.pages)
    assert len(reader.pages) > 2
    squeezed = re.sub(r"\s+", "", printed)
    assert re.sub(r"\s+", "", words) in squeezed
    assert code.replace(" ", "") in squeezed
    assert "https://example.org/far" in squeezed
    assert "lastwords" in squeezed
    for chrome in ("Askanything", "Newconversation", "Regenerate"):
        assert chrome not in squeezed, chrome


async def test_an_export_of_chatgpt_is_taken_over_and_told_about(visitor: Visitor) -> None:
    await choose(visitor, "Import conversations")
    dialog = visitor.page.get_by_role("dialog", name="Import conversations")
    await dialog.locator("input[type=file]").set_input_files(
        FIXTURES / "chatgpt-conversations.json"
    )
    await dialog.get_by_text("3 conversations added.").wait_for()
    await dialog.get_by_text("4 steps of tools").wait_for()
    await dialog.get_by_text("Conversations of which something is missing").click()
    await dialog.get_by_role("listitem").filter(has_text="Harbour bells").wait_for()
    await dialog.locator("input[type=file]").set_input_files(
        FIXTURES / "chatgpt-conversations.json"
    )
    await dialog.get_by_text("3 conversations were here already.").wait_for()
    await dialog.get_by_role("button", name="Close").click()
    await visitor.page.get_by_role("link", name="Harbour bells").click()
    await visitor.sees("Nobody knows.")
    await visitor.sees_end()
    assert (await visitor.text()).split() == ["I", "looked", "it", "up.", "Nobody", "knows."]
