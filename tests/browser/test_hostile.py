"""Hostile text on its whole way: said by a model, streamed by the server, shown by the page."""

import pytest
from playwright.async_api import Dialog, Page, Request

from tests.browser.vectors import VECTORS
from tests.browser.visitor import Visitor

pytestmark = pytest.mark.asyncio(loop_scope="session")

BATCHES = 4
PIECES = (1, 3, 7, 1000)
"""How many characters each delta of a batch has."""

FOREIGN = r"""() => {
  const tags = new Set(`a blockquote br code del div em h1 h2 h3 h4 h5 h6 hr input ins kbd li mark
    ol p pre s span strong sub sup table tbody td th thead tr u ul button svg path math mrow mi mo
    mn mtext mstyle mspace semantics msub msup msubsup mfrac msqrt mpadded menclose`.split(/\s+/));
  const names = new Set(`aria-label aria-hidden aria-pressed align checked class d dir disabled href
    rel role start tabindex target title type viewBox xmlns display mathcolor mathvariant width
    height fence stretchy lspace rspace depth voffset data-source data-host data-language
    data-coloured data-action data-label`.split(/\s+/));
  const found = [];
  for (const element of document.querySelectorAll(".reply-text *")) {
    if (!tags.has(element.localName)) found.push(element.outerHTML);
    for (const { name, value } of element.attributes) {
      const ours = (name === "id" && value.startsWith("view-")) ||
        (name === "style" && /^contain-intrinsic-block-size: auto \d+lh;$/.test(value));
      if (!names.has(name) && !ours) found.push(`${name}=${value}`);
    }
    const href = element.getAttribute("href");
    if (href !== null && !/^(https?:\/\/|mailto:|#view-)/.test(href)) found.push(href);
    if (/^https?:/.test(href ?? "") && element.rel !== "noopener noreferrer nofollow")
      found.push(`${href} tells who comes`);
  }
  return found;
}"""
"""Elements, attributes and addresses that have no business in a reply."""


def batch(number: int) -> str:
    """A share of the vectors; behind each a word that must be there."""
    parts = []
    for at in range(number, len(VECTORS), BATCHES):
        parts += [VECTORS[at][1], f"Beacon{at}."]
    return "\n\n".join(parts)


class Watch:
    """What a page must never do."""

    def __init__(self, page: Page, home: str) -> None:
        self.home = home
        self.seen: list[str] = []
        page.on("request", self._ask)
        page.on("popup", lambda popup: self.seen.append(f"opened {popup.url}"))
        page.on("download", lambda download: self.seen.append(f"loaded {download.url}"))
        page.on("framenavigated", lambda frame: frame.parent_frame and self.seen.append("a frame"))
        page.on("dialog", self._answer)

    def _ask(self, request: Request) -> None:
        if not request.url.startswith((self.home, "data:")):
            self.seen.append(f"asked {request.url}")

    async def _answer(self, dialog: Dialog) -> None:
        self.seen.append(f"said {dialog.message}")
        await dialog.dismiss()


async def test_no_text_of_a_model_does_anything_but_be_read(visitor: Visitor) -> None:
    assert len({text for _, text in VECTORS}) == len(VECTORS) >= 100
    watch = Watch(visitor.page, visitor.server.url)
    visitor.may_reread = True
    for number, size in enumerate(PIECES):
        text = batch(number)
        await visitor.play(*({"text": text[at : at + size]} for at in range(0, len(text), size)))
        await visitor.sees_end(seconds=60)
        await all_is_read_and_nothing_done(visitor, number)
    await visitor.reload()
    await visitor.page.locator("article.reply").nth(BATCHES - 1).wait_for()
    await visitor.sees_end()
    for number in range(BATCHES):
        await all_is_read_and_nothing_done(visitor, number)
    for _ in range(2):  # whatever waits for a pointer or a key
        await visitor.page.evaluate(
            """() => { for (const one of document.querySelectorAll(".reply-text *")) {
              for (const type of ["pointerenter", "mouseover", "focus", "toggle", "animationstart"])
                one.dispatchEvent(new Event(type, { bubbles: true }));
              if (!one.matches("a[href]")) one.click?.();
            } }"""
        )
    assert await visitor.page.evaluate("typeof window.caught") == "undefined"
    assert watch.seen == []


async def all_is_read_and_nothing_done(visitor: Visitor, number: int) -> None:
    reply = visitor.page.locator("article.reply").nth(number)
    shown = str(await reply.locator(".reply-text").text_content())
    lost = [at for at in range(number, len(VECTORS), BATCHES) if f"Beacon{at}." not in shown]
    assert [VECTORS[at] for at in lost] == []
    assert await visitor.page.evaluate("typeof window.caught") == "undefined"
    assert await visitor.page.evaluate(FOREIGN) == []
