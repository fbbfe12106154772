"""What a model writes, as it is shown: while it streams, and when it is whole."""

import pytest
from playwright.async_api import expect

from tests.browser.visitor import Visitor

pytestmark = pytest.mark.asyncio(loop_scope="session")

PIECE = 7

MARKDOWN = r"""# Tides

See[^moon] the *[almanac](https://example.org/almanac)*, **twice** a day, and [the chart][chart].

- [x] high water
- [ ] low water
  - nested, with `code`
    1. deeper

> Time and tide
>
> > wait for no man

| Port | Range |
|:-----|------:|
| Brest | 7 m |
| Kiel<br>Canal | 0 m |

1. Step one

   ```sh
   date && echo "$HOME"
   ```
2. Step two

![A chart](https://charts.example.org/tides.png)

```python
def tide(hours: int) -> float:
    return 3.5 * hours  # metres
```

Water is H<sub>2</sub>O.

[chart]: https://example.org/chart
[^moon]: Mostly the *moon*.
"""

MATH = r"""It costs $5 and $6, but $e^{i\pi}+1=0$ and \(a_1*b_1\) hold:
$$
\int_0^1 x\,dx
= \frac{1}{2}
$$
\[ \notacommand{x} \]

The end.
"""


def pieces(text: str, size: int = PIECE) -> list[dict[str, object]]:
    """Steps that say a text in pieces, slowly enough to be drawn in between."""
    parts = [text[at : at + size] for at in range(0, len(text), size)]
    return [{"text": part, "pause_ms": 4} for part in parts]


async def test_markdown_that_streams_looks_as_it_does_after_a_reload(visitor: Visitor) -> None:
    await visitor.play(*pieces(MARKDOWN))
    await visitor.sees_end()
    shown = visitor.reply.locator(".reply-text")
    for selector in (
        "h1",
        "em > a[href='https://example.org/almanac']",
        "a[href='https://example.org/chart']",
        "li > input[type=checkbox][disabled]:checked",
        "li ul ol li",
        "blockquote blockquote",
        "td[align=right]",
        "td br",
        "ol li pre code",
        "sub",
        "sup a[href^='#view']",
        ".note em",
    ):
        assert await shown.locator(selector).count() > 0, selector
    coloured = shown.locator("[data-coloured]")
    await visitor.until(lambda: _is(coloured.count(), 2), "the code is not coloured")
    await visitor.reload()
    await visitor.sees_end()
    await visitor.until(lambda: _is(coloured.count(), 2), "the code is not coloured")


async def test_short_code_is_coloured_in_the_frame_that_shows_it(visitor: Visitor) -> None:
    await visitor.play({"text": "```python\nready = 1\n```\n"})
    await visitor.sees_end()
    await visitor.reply.locator("[data-coloured]").wait_for()
    coloured = await visitor.page.evaluate("""async () => {
      const { colourSoon } = await import("/static/conversations/js/code.js");
      const block = document.querySelector(".reply-text .code-block").cloneNode(true);
      const code = block.querySelector("code");
      code.textContent = "if ready: pass";
      colourSoon([block]);
      return code.querySelectorAll(".code-keyword").length;
    }""")
    assert coloured == 2


async def test_code_is_coloured_beside_some_whose_colours_do_not_load(visitor: Visitor) -> None:
    visitor.may_fail_to_load = True
    await visitor.page.route("**/highlight-python*.js*", lambda route: route.abort())
    await visitor.play({"text": '```python\nready = 1\n```\n\n```json\n{"ready": 1}\n```\n'})
    await visitor.sees_end()
    await visitor.reply.locator("code.language-json[data-coloured]").wait_for()
    assert await visitor.reply.locator("[data-coloured]").count() == 1


async def test_finished_blocks_are_never_touched_again(visitor: Visitor) -> None:
    await visitor.play(
        {"text": "first **block**\n\n- one\n- two\n\n"},
        {"text": "third block, open"},
        {"gate": visitor.gate},
        *pieces(MARKDOWN),
    )
    await visitor.sees("third block")
    await visitor.page.evaluate(
        """() => {
          const text = document.querySelector(".reply-text");
          window.touched = 0;
          const watch = new MutationObserver((records) => (window.touched += records.length));
          const options = { subtree: true, childList: true, characterData: true, attributes: true };
          const blocks = [...text.firstChild.children];
          for (const block of blocks.slice(0, 2)) watch.observe(block, options);
          window.blocks = blocks.slice(0, 3);
        }"""
    )
    visitor.open_gate()
    await visitor.sees_end()
    assert await visitor.page.evaluate("window.touched") == 0
    shown = "document.querySelector('.reply-text').firstChild.children"
    assert await visitor.page.evaluate(f"window.blocks.every((one, n) => one === {shown}[n])")


async def test_code_has_its_language_is_copied_and_wraps(visitor: Visitor) -> None:
    await visitor.context.grant_permissions(["clipboard-read", "clipboard-write"])
    code = "x = 1\n" + "y = '" + "long " * 60 + "'"
    await visitor.play(
        {"text": f"```py\n{code}"}, {"gate": visitor.gate}, {"text": "\n```\n\nafter"}
    )
    block = visitor.reply.locator(".code-block")
    await visitor.sees("y = ")
    await block.get_by_role("button", name="Wrap lines").click()
    visitor.open_gate()
    await visitor.sees_end()
    assert await block.get_attribute("aria-label") == "Code: Python"
    drawn = "e => getComputedStyle(e, '::before').content"
    assert await block.locator(".code-bar").evaluate(drawn) == '"Python"'
    pre = block.locator("pre")
    assert await pre.evaluate("e => e.scrollWidth <= e.clientWidth")
    await block.get_by_role("button", name="Wrap lines").click()
    assert await pre.evaluate("e => e.scrollWidth > e.clientWidth")
    await block.get_by_role("button", name="Copy").click()

    async def is_copied() -> bool:
        return bool(await visitor.page.evaluate("navigator.clipboard.readText()") == code)

    await visitor.until(is_copied, "the code is not in the clipboard")
    keyword = block.locator(".code-number").first
    await keyword.wait_for()
    assert await visitor.text() == f"{code}\nafter"


async def test_formulas_are_drawn_and_bad_ones_are_shown_as_they_are_written(
    visitor: Visitor,
) -> None:
    await visitor.play(*pieces(MATH))
    await visitor.sees_end()
    formulas = visitor.reply.locator(".math math")
    await visitor.until(lambda: _is(formulas.count(), 3), "not every formula is drawn")
    assert await visitor.reply.locator("math[display=block] mfrac").count() == 1
    text = await visitor.text()
    assert "It costs $5 and $6, but" in text
    assert r"\[ \notacommand{x} \]" in text
    assert "annotation" not in await visitor.reply.inner_html()


async def test_what_is_optional_is_loaded_when_it_is_needed(visitor: Visitor) -> None:
    asked: list[str] = []
    visitor.page.on("request", lambda request: asked.append(request.url))
    await visitor.play({"text": "plain **words**, $5"})
    await visitor.sees_end()
    assert [url for url in asked if "highlight" in url or "katex" in url] == []
    await visitor.play({"text": "```rust\nfn main() {}\n```\n\n$x^2$ it is"})
    await visitor.sees_end()
    await visitor.reply.locator("math").wait_for()
    await visitor.reply.locator("[data-coloured]").wait_for()
    assert any("katex" in url for url in asked)
    grammars = [url for url in asked if "highlight-" in url]
    assert len(grammars) == 1 and "highlight-rust" in grammars[0]


async def test_a_picture_is_a_link_that_names_its_host_and_is_not_loaded(
    visitor: Visitor,
) -> None:
    asked: list[str] = []
    visitor.page.on("request", lambda request: asked.append(request.url))
    await visitor.play(*pieces("![A chart](https://charts.example.org/tides.png?secret=1) it is"))
    await visitor.sees_end()
    link = visitor.reply.get_by_role("link", name="A chart")
    assert await link.get_attribute("href") == "https://charts.example.org/tides.png?secret=1"
    assert await link.get_attribute("target") == "_blank"
    assert await link.get_attribute("data-host") == "charts.example.org"
    assert [url for url in asked if "example.org" in url] == []


async def test_a_note_leads_to_its_text_and_back(visitor: Visitor) -> None:
    for _ in range(2):
        await visitor.play({"text": "Look[^1] here.\n\n[^1]: The note."})
        await visitor.sees_end()
    ids = "[...document.querySelectorAll('[id]')].map((e) => e.id)"
    found = await visitor.page.evaluate(ids)
    assert len(found) == len(set(found))
    address = visitor.page.url
    await visitor.reply.get_by_role("link", name="Note 1").click()
    await expect(visitor.reply.locator(".note:target")).to_have_count(1)
    await visitor.reply.get_by_role("link", name="Back to the text").click()
    await expect(visitor.reply.locator(".note-mark a:target")).to_have_count(1)
    assert visitor.page.url.startswith(address)


async def test_reasoning_tells_how_long_it_took(visitor: Visitor) -> None:
    await visitor.play({"reasoning": "let me see"}, {"gate": visitor.gate}, {"text": "done"})
    summary = visitor.reply.locator("details.reasoning summary")
    await summary.get_by_text("Thinking").wait_for()
    visitor.open_gate()
    await visitor.sees_end()
    assert str(await summary.text_content()).startswith("Thought for")
    await visitor.reload()
    await visitor.sees_end()
    assert await summary.text_content() == "Reasoning"


async def _is(value: object, expected: object) -> bool:
    return await value == expected  # type: ignore[misc]


async def test_coloured_code_that_goes_on_shows_each_line_once(visitor: Visitor) -> None:
    shown = await visitor.page.evaluate("""async () => {
      const { MarkdownView } = await import("/static/conversations/js/markdown.js");
      const place = document.createElement("div");
      document.body.append(place);
      const view = new MarkdownView(place);
      const text = "```python\\nready = 1";
      view.show(text, { whole: true });
      while (!place.querySelector("[data-coloured]")) await new Promise(requestAnimationFrame);
      const shown = [];
      for (const more of ["\\n", "\\nif ready:", "\\nif ready:\\n  pass"]) {
        view.show(text + more);
        shown.push(place.querySelector("code").textContent);
      }
      return shown;
    }""")
    assert shown == ["ready = 1", "ready = 1\nif ready:", "ready = 1\nif ready:\n  pass"]
