"""Files in the composer: by button, paste and drop, with progress, error and retry."""

import base64
from typing import Any

import pytest
from playwright.async_api import Locator, Route, expect

from tests.browser.test_accessibility import check
from tests.browser.visitor import Visitor
from tests.conversations.files import image

pytestmark = pytest.mark.asyncio(loop_scope="session")

PASTE = """([target, kind, name, type, content]) => {
  const bytes = Uint8Array.from(atob(content), (c) => c.charCodeAt(0));
  const transfer = new DataTransfer();
  transfer.items.add(new File([bytes], name, { type }));
  const on = target ? document.querySelector(target) : document.body;
  const init = { bubbles: true, cancelable: true };
  if (kind === "paste") {
    on.dispatchEvent(new ClipboardEvent("paste", { ...init, clipboardData: transfer }));
  } else {
    on.dispatchEvent(new DragEvent(kind, { ...init, dataTransfer: transfer }));
  }
}"""


def file(name: str, content: bytes, mime_type: str = "text/plain") -> Any:
    return {"name": name, "mimeType": mime_type, "buffer": content}


async def attach(visitor: Visitor, *files: Any) -> None:
    await visitor.page.set_input_files("#file-input", list(files))


async def hand(visitor: Visitor, kind: str, target: str, name: str, content: bytes) -> None:
    """Paste or drag a picture."""
    encoded = base64.b64encode(content).decode()
    await visitor.page.evaluate(PASTE, [target, kind, name, "image/png", encoded])


def chip(visitor: Visitor, name: str, state: str = "done") -> Locator:
    return visitor.page.locator(f'.chip[data-state="{state}"]', has_text=name)


async def found_by_axe(visitor: Visitor) -> list[str]:
    found: list[str] = []
    for theme in ("light", "dark"):
        await visitor.page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
        found += await check(visitor.page, theme)
    return found


async def test_files_by_button_paste_and_drop_go_with_the_question(visitor: Visitor) -> None:
    page = visitor.page
    await visitor.choose("scripted")
    await attach(visitor, file("plan.md", b"# Go south\n"))
    await chip(visitor, "plan.md").wait_for()
    await hand(visitor, "paste", "#message", "pasted.png", image())
    await chip(visitor, "pasted.png").wait_for()
    await page.wait_for_selector("#tray-note >> text=This model cannot see images.")
    await hand(visitor, "dragover", "", "dropped.png", image(size=(900, 500)))
    assert await page.is_visible("#drop-hint")
    await hand(visitor, "drop", "", "dropped.png", image(size=(900, 500)))
    assert not await page.is_visible("#drop-hint")
    await chip(visitor, "dropped.png").wait_for()
    await visitor.say("Look at these")
    await visitor.sees_end()
    assert await page.locator(".chip").count() == 0
    assert "Go south" in await visitor.text()
    [question, _] = await visitor.stored()
    names = [part["attachment"]["name"] for part in question["parts"][:3]]
    assert names == ["plan.md", "pasted.png", "dropped.png"]
    loaded = "[...document.querySelectorAll('.enclosed img')].every((it) => it.naturalWidth)"
    for _ in range(2):
        bubble = page.locator("article.question")
        link = bubble.locator("a.enclosed-file")
        assert "plan.md" in str(await link.text_content())
        assert await link.get_attribute("download") == "plan.md"
        assert await bubble.locator("a.enclosed-image[target=_blank] img").count() == 2
        await visitor.until(lambda: page.evaluate(loaded), "a picture is not there")
        assert await found_by_axe(visitor) == []
        await visitor.reload()
        await bubble.wait_for()


async def test_send_waits_for_the_upload_and_a_file_can_be_taken_back(visitor: Visitor) -> None:
    page = visitor.page
    held: list[Route] = []

    async def hold(route: Route) -> None:
        held.append(route)
        if len(held) > 1:
            await route.continue_()

    await page.route("**/api/attachments", hold)
    await visitor.choose("scripted")
    await attach(visitor, file("slow.txt", b"slow"), file("next.txt", b"next"))
    await chip(visitor, "slow.txt", "uploading").wait_for()
    await visitor.say("Hello")
    await page.wait_for_selector("#tray-note >> text=Sending as soon as")
    await page.locator(".chip", has_text="next.txt").get_by_role("button").last.click()
    assert await page.locator("article").count() == 0
    await visitor.until(lambda: _is(len(held) == 1), "nothing is being uploaded")
    await held[0].continue_()
    await visitor.sees_end()
    [question, _] = await visitor.stored()
    assert question["content"] == "Hello"
    assert [part["kind"] for part in question["parts"]] == ["attachment", "text"]
    assert len(held) == 1


async def _is(fact: bool) -> bool:
    return fact


async def test_files_that_were_not_sent_are_there_after_a_reload(visitor: Visitor) -> None:
    page = visitor.page
    await visitor.play({"text": "done"})
    await visitor.sees_end()
    await attach(visitor, file("one.txt", b"first"), file("two.txt", b"second"))
    await chip(visitor, "two.txt").wait_for()
    await visitor.reload()
    await chip(visitor, "two.txt").wait_for()
    await page.get_by_role("link", name="New conversation").click()
    await page.locator(".chip").first.wait_for(state="detached")
    await attach(visitor, file("three.txt", b"third"))
    await chip(visitor, "three.txt").wait_for()
    await visitor.reload()
    await chip(visitor, "three.txt").wait_for()
    await page.get_by_role("button", name="Remove three.txt").click()
    await page.locator(".conversation-row a").first.click()
    await chip(visitor, "one.txt").wait_for()
    await visitor.say("Look")
    await visitor.sees_end()
    [*_, question, _reply] = await visitor.stored()
    names = [part["attachment"]["name"] for part in question["parts"][:2]]
    assert names == ["one.txt", "two.txt"]
    for path in ("/", page.url.removeprefix(visitor.server.url)):
        await visitor.open(path)
        await page.wait_for_load_state("networkidle")
        assert await page.locator(".chip").count() == 0


async def test_a_file_that_fails_says_why_and_can_be_tried_again(visitor: Visitor) -> None:
    page = visitor.page
    visitor.may_fail_to_load = True
    await visitor.choose("scripted")
    await attach(visitor, file("program.exe", b"MZ\x00\x00", "application/octet-stream"))
    failed = chip(visitor, "program.exe", "failed")
    await failed.get_by_text("Only PNG, JPEG, GIF and WebP").wait_for()
    assert await page.is_disabled("#send")
    assert await failed.get_by_label("Try program.exe again").is_hidden()
    await attach(visitor, file("cat.png", image(), "image/png"))
    await chip(visitor, "cat.png").wait_for()
    assert await found_by_axe(visitor) == []
    await chip(visitor, "cat.png").get_by_label("Remove cat.png").click()
    await failed.get_by_label("Remove program.exe").press("Enter")
    assert await page.locator("#message").evaluate("e => e === document.activeElement")

    async def refuse(route: Route) -> None:
        await route.abort()

    await page.route("**/api/attachments", refuse)
    await page.context.set_offline(True)
    await attach(visitor, file("notes.txt", b"notes"))
    failed = chip(visitor, "notes.txt", "failed")
    await failed.get_by_text("The upload broke off.").wait_for()
    await page.unroute("**/api/attachments")
    await page.context.set_offline(False)
    await failed.get_by_label("Try notes.txt again").press("Enter")
    await chip(visitor, "notes.txt").wait_for()
    await page.press("#message", "Enter")
    await visitor.sees_end()
    assert "notes" in await visitor.text()


async def test_a_question_that_is_refused_stays_with_its_files(visitor: Visitor) -> None:
    page = visitor.page
    visitor.may_fail_to_load = True
    error = '{"error": {"code": "too_many_runs", "message": "Wait.", "retryable": true}}'

    async def refuse(route: Route) -> None:
        await route.fulfill(status=429, body=error, headers={"Retry-After": "1"})

    await page.route("**/messages", refuse)
    await visitor.choose("scripted")
    await attach(visitor, file("notes.txt", b"notes"))
    await chip(visitor, "notes.txt").wait_for()
    await visitor.say("Hello")
    await page.wait_for_selector("#alert:visible")
    await expect(page.locator("#message")).to_have_value("Hello")
    await chip(visitor, "notes.txt").wait_for()
    await page.unroute("**/messages")
    await page.press("#message", "Enter")
    await visitor.sees_end()
    [question, _] = await visitor.stored()
    assert [part["kind"] for part in question["parts"]] == ["attachment", "text"]


async def test_the_composer_grows_and_one_types_on_while_a_reply_comes(visitor: Visitor) -> None:
    page = visitor.page
    field = page.locator("#message")
    before = (await page.locator("#composer").bounding_box() or {})["height"]
    await visitor.play({"text": "Once"}, {"gate": visitor.gate}, {"text": " upon"})
    await visitor.sees("Once")
    assert (await page.locator("#composer").bounding_box() or {})["height"] == before
    assert await page.is_visible("#stop")
    await field.press_sequentially("the next question")
    await field.press("Enter")
    assert await field.input_value() == "the next question"
    visitor.open_gate()
    await visitor.sees_end()
    assert await field.input_value() == "the next question"
    await field.press("Enter")
    await visitor.sees("the next question")
    for _ in range(40):
        await field.press("Shift+Enter")
    height = (await page.locator("#composer").bounding_box() or {})["height"]
    assert before * 2 < height < 300
