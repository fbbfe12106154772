import assert from "node:assert/strict";
import { test } from "node:test";

import { Blocks } from "../../conversations/static/conversations/js/blocks.js";
import { Lexer, Marked } from "../../conversations/static/conversations/vendor/marked.js";

const SAMPLE = [
  "# Title\n\nA paragraph\nover two lines with **bold** text.\n\n",
  "- one\n- two\n\n  with a paragraph\n\n- three\n\n",
  "1. first\n2. second\n   - nested\n\n",
  "```python\nprint('a')\n\nprint('b')\n```\n\n",
  "| a | b |\n|---|---|\n| 1 | 2 |\n| 3 | 4 |\n\n",
  "> quoted\n> on\nlazily\n\n",
  "Setext\n======\n\n<b>raw</b> html\n\n<div>\nblock\n</div>\n\n---\n\n",
  "    indented code\n\n\tand a tab\n\nlast words 渡𝕠",
].join("");

const marked = new Marked({ gfm: true });
const html = (tokens) => marked.parser(tokens);

function streamed(text, step) {
  const blocks = new Blocks();
  let finished = [];
  let open = [];
  for (let end = step; ; end += step) {
    const taken = blocks.take(text.slice(0, end));
    finished = taken.anew ? taken.finished : [...finished, ...taken.finished];
    open = taken.open;
    if (end >= text.length) return html(finished) + html(open);
  }
}

test("text that came in pieces is rendered as text that came at once", () => {
  const whole = html(new Lexer({ gfm: true }).lex(SAMPLE));
  for (const step of [1, 3, 7, 64]) assert.equal(streamed(SAMPLE, step), whole, `step ${step}`);
});

test("CRLF is a line end, also when it is cut", () => {
  const text = "one\r\n\r\n- two\r\n- three\r\n";
  assert.equal(streamed(text, 1), html(new Lexer({ gfm: true }).lex(text.replaceAll("\r\n", "\n"))));
});

test("finished blocks are given once", () => {
  const blocks = new Blocks();
  assert.equal(blocks.take("one\n\ntwo").finished.length, 2);
  assert.equal(blocks.take("one\n\ntwo and").finished.length, 0);
  assert.equal(blocks.take("one\n\ntwo and\n\nthree").finished[0].text, "two and");
});

test("a text that does not continue the one before starts anew", () => {
  const blocks = new Blocks();
  blocks.take("one\n\ntwo");
  const { anew, open } = blocks.take("else");
  assert.equal(anew, true);
  assert.equal(open[0].text, "else");
});

test("a link defined earlier is known in later blocks", () => {
  const text = "[home]: https://example.org/\n\nfirst\n\nsee [home]";
  assert.match(streamed(text, 4), /href="https:\/\/example.org\/"/);
});

test("a long reply in many pieces costs little", () => {
  const text = "A paragraph of some words that is repeated often.\n\n".repeat(400);
  const blocks = new Blocks();
  const begun = performance.now();
  for (let end = 10; end < text.length; end += 10) blocks.take(text.slice(0, end));
  assert.ok(performance.now() - begun < 2000);
});
