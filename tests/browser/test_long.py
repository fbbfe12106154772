"""Long replies: drawn in slices, what nobody sees is passed over, and nothing is missing."""

import io

import pytest
from pypdf import PdfReader

from tests.browser.chromium import launched
from tests.browser.visitor import Visitor
from tests.integration.servers import Server

pytestmark = pytest.mark.asyncio(loop_scope="session")

SECTIONS = 120
BLOCKS = (
    "## Chapter {number}\n\nIt was *dark*, and [the lamp][lamp] of {number} was out. {words}\n\n"
    "- one of {number}\n- two of {number}\n\n| a | b |\n|---|---|\n| {number} | c |\n\n"
    "```python\nx = {number}\n```\n\n"
)
BOOK = "".join(BLOCKS.format(number=n, words="word " * 60) for n in range(SECTIONS))
LONG = BOOK + "[lamp]: https://example.org/lamp\n\nlast words"

AT_END = "e => e.scrollHeight - e.scrollTop - e.clientHeight < 4"
WHERE = """() => {
  const top = document.getElementById("transcript").getBoundingClientRect().top;
  const shown = [...document.querySelectorAll(".reply-text h2")];
  const first = shown.find((one) => one.getBoundingClientRect().top > top);
  return [first.textContent, Math.round(first.getBoundingClientRect().top)];
}"""


async def test_a_long_reply_is_whole_however_it_came_and_is_opened_at_its_end(
    visitor: Visitor,
) -> None:
    await visitor.play({"text": LONG, "piece": 2500, "pause_ms": 5})
    await visitor.sees_end()
    await _is_whole(visitor)
    await visitor.page.add_init_script(
        """window.ends = [];
        new MutationObserver(() => {
          const text = document.querySelector(".reply-text")?.textContent;
          if (text) ends.push(text.trim().endsWith("last words"));
        }).observe(document, { subtree: true, childList: true });"""
    )
    await visitor.reload()
    await visitor.sees_end()
    ends = await visitor.page.evaluate("window.ends")
    assert ends and all(ends)
    await _is_whole(visitor)
    viewport = visitor.page.locator("#transcript")
    await visitor.until(lambda: viewport.evaluate(AT_END), "the end is not in sight")


async def test_what_is_in_sight_stays_where_it_is_on_the_way_up_a_long_reply(
    visitor: Visitor,
) -> None:
    await visitor.play({"text": LONG})
    await visitor.sees_end()
    await visitor.reload()  # what is above was never laid out here
    await visitor.sees_end()
    await visitor.page.hover(".reply-text p:last-of-type >> nth=-1")
    for _ in range(12):
        await visitor.page.mouse.wheel(0, -700)
        await _stands_still(visitor)
        before = await visitor.page.evaluate(WHERE)
        await _stands_still(visitor)
        assert await visitor.page.evaluate(WHERE) == before
    await visitor.page.wait_for_selector("#jump:visible")
    await visitor.page.click("#jump")
    viewport = visitor.page.locator("#transcript")
    await visitor.until(lambda: viewport.evaluate(AT_END), "the button did not lead to the end")


async def test_a_reader_may_scroll_while_many_messages_are_still_being_put_in_place(
    visitor: Visitor,
) -> None:
    await visitor.play({"text": LONG})
    await visitor.sees_end()
    await visitor.page.add_init_script(
        """const scroll = () => {
          const viewport = document.getElementById("transcript");
          // Not before there is anything to scroll.
          if (viewport?.querySelector(".reply-text h2") && viewport.scrollTop > 1500)
            viewport.scrollTop -= 1500;
          else requestAnimationFrame(scroll);
        };
        scroll();"""
    )
    await visitor.reload()
    await visitor.sees_end()
    await _is_whole(visitor)
    assert not await visitor.page.locator("#transcript").evaluate(AT_END)
    assert await visitor.page.is_visible("#jump")


async def test_a_long_reply_is_printed_to_its_last_word(visitor: Visitor) -> None:
    await visitor.play({"text": LONG})
    await visitor.sees_end()
    await visitor.reload()
    await visitor.page.wait_for_selector(".reply-text")
    pages = PdfReader(io.BytesIO(await visitor.page.pdf())).pages
    printed = " ".join("".join(page.extract_text() for page in pages).split())
    for number in range(SECTIONS):
        assert f"Chapter {number}" in printed and f"two of {number}" in printed
    assert "last words" in printed


async def test_what_nobody_sees_of_a_long_reply_is_found_and_read_aloud(server: Server) -> None:
    async with launched("--force-renderer-accessibility") as browser:  # as a screen reader has it
        visitor = await Visitor.arrive(browser, server)
        page = visitor.page
        await visitor.play({"text": LONG[len(LONG) // 3 * 2 :]})
        await visitor.sees_end()
        await visitor.reload()  # what is above was never laid out here
        await visitor.sees_end()
        devtools = await visitor.context.new_cdp_session(page)
        tree = (await devtools.send("Accessibility.getFullAXTree"))["nodes"]
        read = {node["name"]["value"] for node in tree if "name" in node and not node["ignored"]}
        assert {f"Chapter {number}" for number in range(90, SECTIONS)} <= read
        # The question says it, too, but as it is written.
        find = "find('the lamp of 90 was', false, false, true)"
        await visitor.until(lambda: page.evaluate(find), "it is not found")
        assert await page.evaluate("String(getSelection())") == "the lamp of 90 was"


async def _is_whole(visitor: Visitor) -> None:
    shown = visitor.reply.locator(".reply-text")
    assert await shown.locator("h2").count() == SECTIONS
    assert await shown.locator("a[href='https://example.org/lamp']").count() == SECTIONS
    assert await shown.get_attribute("aria-busy") is None
    headings = await shown.locator("h2").all_text_contents()
    assert headings == [f"Chapter {number}" for number in range(SECTIONS)]
    assert (await visitor.text()).endswith("last words")


async def _stands_still(visitor: Visitor) -> None:
    """Wait until what came into sight is laid out, and the scrolling is over."""
    await visitor.page.evaluate(
        """() => new Promise((done) => {
          const viewport = document.getElementById("transcript");
          let [last, still] = [-1, 0];
          const look = () => {
            still = viewport.scrollTop === last ? still + 1 : 0;
            last = viewport.scrollTop;
            if (still > 5) done();
            else requestAnimationFrame(look);
          };
          look();
        })"""
    )
