"""Every page for everybody: no violation that axe-core knows of, in both themes, and no chatter."""

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from playwright.async_api import Browser, Page

from tests.browser.test_people import choose, sign_up
from tests.browser.visitor import Visitor
from tests.integration.servers import Server

pytestmark = pytest.mark.asyncio(loop_scope="session")

AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"

RICH = """# A heading

Some **bold**, *slanted*, `code`, ~~gone~~, a [link](https://example.org/) and a footnote.

- [x] done
- [ ] to do
  1. nested

> quoted

| a | b |
|---|--:|
| 1 | 2 |

```python
print("hello")
```

![an image](https://example.org/x.png)
"""


async def check(page: Page, place: str) -> list[str]:
    """Ask axe-core, and give what it finds as lines to read."""
    await page.evaluate(AXE.read_text())
    await page.evaluate("Promise.allSettled(document.getAnimations().map((one) => one.finished))")
    violations: list[dict[str, Any]] = await page.evaluate(
        "axe.run(document, {resultTypes: ['violations']}).then((found) => found.violations)"
    )
    return [
        f"{place}: {one['id']}: {node['target']} {node['failureSummary']}"
        for one in violations
        for node in one["nodes"]
    ]


async def share(visitor: Visitor) -> list[str]:
    """Share the conversation, and look at the dialog and the page."""
    page = visitor.page
    await page.get_by_role("button", name="More about this conversation").click()
    await page.get_by_role("menuitem", name="Share…").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_role("button", name="Create link").click()
    link = dialog.get_by_label("Link", exact=True)
    await link.wait_for()
    found = await check(page, "share dialog")
    await page.goto(await link.input_value())
    await page.get_by_text("nested", exact=True).wait_for()
    return found + await check(page, "shared page")


async def tab_to(page: Page, selector: str, key: str = "Tab") -> None:
    """Press Tab until the focus is there, as somebody does who has no mouse."""
    for _ in range(80):
        if await page.evaluate("(s) => document.activeElement.matches(s)", selector):
            return
        await page.keyboard.press(key)
    raise AssertionError(f"no way to {selector} with {key}")


async def test_the_keyboard_alone_sends_stops_edits_changes_branches_and_searches(
    visitor: Visitor,
) -> None:
    page = visitor.page
    word = f"w{uuid4().hex[:8]}"
    await tab_to(page, "#model", "Shift+Tab")
    await page.keyboard.type("Scripted")
    await tab_to(page, "#message")
    steps = [{"text": f"{word} first "}, {"gate": visitor.gate}, {"text": "never"}]
    await page.keyboard.insert_text(json.dumps({"steps": steps}))
    await page.keyboard.press("Enter")
    await visitor.sees("first")
    await page.keyboard.press("Escape")
    await visitor.sees_end("stopped")

    await page.keyboard.press("ArrowUp")
    await page.keyboard.press("Control+A")
    await page.keyboard.insert_text(json.dumps({"steps": [{"text": f"{word} second"}]}))
    await page.keyboard.press("Enter")
    await visitor.sees("second")
    await visitor.sees_end()

    await tab_to(page, ".branch-button", "Shift+Tab")
    await page.keyboard.press("ArrowLeft")
    await visitor.sees("first")
    await page.keyboard.press("ArrowRight")
    await visitor.sees("second")

    await page.keyboard.press("Control+Shift+O")
    await page.wait_for_url("**/")
    await page.keyboard.press("Control+K")
    await page.keyboard.type(word)
    await page.locator("#results mark", has_text=word).first.wait_for()
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/c/*")
    await visitor.sees(word)


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_no_page_breaks_a_rule(chromium: Browser, server: Server, theme: Any) -> None:
    visitor = await Visitor.arrive(chromium, server, color_scheme=theme)
    page = visitor.page
    found = await check(page, "empty chat")
    await visitor.play({"reasoning": "Well."}, {"text": RICH})
    await visitor.sees_end()
    await visitor.reply.hover()
    found += await check(page, "rich reply")
    await page.click(".account-button")
    found += await check(page, "menu")
    await page.get_by_role("menuitem", name="Settings").click()
    await page.get_by_role("dialog").wait_for()
    found += await check(page, "settings")
    await page.keyboard.press("Escape")
    for entry in ("Keyboard shortcuts", "Prompts…"):
        await choose(page, entry)
        await page.get_by_role("dialog").wait_for()
        found += await check(page, entry)
        await page.keyboard.press("Escape")
    await page.click("#settings-open")
    await page.get_by_role("dialog").wait_for()
    found += await check(page, "settings of the conversation")
    await page.keyboard.press("Escape")
    await page.click("#archived-toggle")
    await page.get_by_text("Nothing is archived.").wait_for()
    found += await check(page, "archived")
    await page.click("#archived-toggle")
    await page.fill("#search", "heading")
    await page.locator("#results li").wait_for()
    found += await check(page, "search")
    await page.fill("#search", "")
    found += await share(visitor)

    for path in ("sign-in", "sign-up", "reset", "reset/sent", "reset/done", "reset/x/y"):
        await page.goto(f"{server.url}/account/{path}")
        found += await check(page, path)
    await page.goto(f"{server.url}/account/sign-up")
    await page.fill("[name=username]", "no good")
    await page.get_by_role("button", name="Create account").click()
    found += await check(page, "sign-up with errors")
    await visitor.open("/")
    await sign_up(visitor)
    for path in ("password", "password/changed"):
        await page.goto(f"{server.url}/account/{path}")
        found += await check(page, path)
    visitor.may_fail_to_load = True
    await page.goto(f"{server.url}/nothing/here")
    found += await check(page, "error")
    await visitor.open("/c/00000000-0000-4000-8000-000000000000")
    found += await check(page, "missing conversation")
    await visitor.leave()
    assert not found, "\n".join(found)
    assert visitor.complaints() == []


async def test_a_small_screen_breaks_no_rule(chromium: Browser, server: Server) -> None:
    small = {"width": 320, "height": 568}
    visitor = await Visitor.arrive(chromium, server, viewport=small, has_touch=True)
    page = visitor.page
    await visitor.play({"text": RICH})
    await visitor.sees_end()
    found = await check(page, "chat at 320 px")
    await page.tap("#sidebar-open")
    await page.locator(".conversation-row").first.wait_for()
    found += await check(page, "drawer")
    await visitor.leave()
    assert not found, "\n".join(found)
    assert visitor.complaints() == []


async def test_a_screen_reader_hears_start_and_end_once_and_no_tokens(visitor: Visitor) -> None:
    page = visitor.page
    await page.evaluate(
        """() => {
             window.heard = [];
             const live = "[role=status], [role=alert], [aria-live=polite], [aria-live=assertive]";
             new MutationObserver((changes) => {
               for (const { target } of changes) {
                 const element = target instanceof Element ? target : target.parentElement;
                 const region = element?.closest(live);
                 if (region?.textContent) heard.push(region.textContent.trim());
               }
             }).observe(document.body, { subtree: true, childList: true, characterData: true });
           }"""
    )
    words = [{"text": f"word{number} "} for number in range(30)]
    await visitor.play(*words, {"gate": visitor.gate}, *words)
    await visitor.sees("word29")
    visitor.open_gate()
    await visitor.sees_end()
    await visitor.until(lambda: page.evaluate("heard.length > 1"), "its end is not heard")
    assert await page.evaluate("heard") == ["The reply begins.", "The reply is complete."]
    assert await visitor.reply.get_attribute("aria-label")
    assert await page.evaluate("document.activeElement.id") == "message"

    await page.evaluate("heard.length = 0")
    await visitor.play({"text": "cut "}, {"gate": visitor.gate + "-2"}, {"text": "never"})
    await visitor.sees("cut")
    await page.keyboard.press("Escape")
    await visitor.sees_end("stopped")
    await visitor.until(lambda: page.evaluate("heard.length > 1"), "its end is not heard")
    assert await page.evaluate("heard") == ["The reply begins.", "Stopped."]
