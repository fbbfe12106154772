import assert from "node:assert/strict";
import { test } from "node:test";

import { Blocks } from "../../conversations/static/conversations/js/blocks.js";
import { dialect, htmlOf } from "../../conversations/static/conversations/js/dialect.js";
import { Lexer } from "../../conversations/static/conversations/vendor/marked.js";

const SAMPLE = [
  "# Title\n\nA paragraph\nover two lines with **bold** text.\n\n",
  "- one\n- two\n\n  with a paragraph\n\n- three\n\n",
  "1. first\n2. second\n   - nested\n\n",
  "```python\nprint('a')\n\nprint('b')\n```\n\n",
  "| a | b |\n|---|---|\n| 1 | 2 |\n| 3 | 4 |\n\n",
  "> quoted\n> on\nlazily\n\n",
  "A sum\n$$\na_1\n+ b_2\n$$\nand $x*y*z$, a note[^1].\n\n[^1]: Here.\n\n",
  "See [this][a], [that](https://example.org/x_y), [b], **bold *both* end** and ~~gone~~.\n\n",
  "![A chart](https://example.org/c.png) 5 &lt; 6 &amp; H<sub>2</sub>O <https://example.org/>\n\n",
  '[a]: https://example.org/a "A title"\n[b]: <https://example.org/b>\n\n',
  "Setext\n======\n\n<b>raw</b> html\n\n<div>\nblock\n</div>\n\n---\n\n",
  "    indented code\n\n\tand a tab\n\nlast words 渡𝕠",
].join("");

/** Microseconds of the processor. */
function cpu(work) {
  const begun = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(begun);
  return user + system;
}

/** What it costs to read a text from its beginning to its end: half of it, on average of all pieces. */
const readingOnce = (text) => cpu(() => {
  for (let times = 0; times < 10; times++) dialect.lexer(text.slice(0, text.length / 2));
}) / 10;

const whole = (text) => {
  const { finished, open } = new Blocks().take(text, { whole: true });
  return htmlOf([...finished, ...open]);
};

function streamed(text, step) {
  const blocks = new Blocks();
  let finished = [];
  const take = (part, options) => {
    const taken = blocks.take(part, options);
    finished = taken.anew ? taken.finished : [...finished, ...taken.finished];
    return taken.open;
  };
  for (let end = step; end < text.length; end += step) take(text.slice(0, end));
  const open = take(text, { whole: true });
  return htmlOf([...finished.flatMap((token) => blocks.again(token)), ...open]);
}

/** What is shown of a text that breaks off here. */
function shown(text) {
  const { finished, open } = new Blocks().take(text);
  return htmlOf([...finished, ...open]).trim();
}

test("text that came in pieces is rendered as text that came at once", () => {
  const expected = whole(SAMPLE);
  for (const step of [1, 3, 7, 64]) assert.equal(streamed(SAMPLE, step), expected, `step ${step}`);
});

test("letters that were shown stay, and none comes before them", () => {
  const entities = { "&lt;": "<", "&gt;": ">", "&amp;": "&", "&quot;": '"', "&#39;": "'" };
  const lettersOf = (html) =>
    html
      .replace(/<[^>]+>/g, "")
      .replace(/&[a-z#0-9]+;/g, (entity) => entities[entity])
      .replace(/[^\p{L}]+/gu, " ")
      .trim();
  const blocks = new Blocks();
  let [done, before] = ["", ""];
  for (let end = 1; end < SAMPLE.length; end += 1) {
    const { finished, open } = blocks.take(SAMPLE.slice(0, end));
    done += htmlOf(finished);
    const now = lettersOf(done + htmlOf(open));
    assert.ok(now.startsWith(before), `${before.slice(-30)} became ${now.slice(-30)}`);
    before = now;
  }
});

test("CRLF is a line end, also when it is cut", () => {
  const text = "one\r\n\r\n- two\r\n- three\r\n";
  assert.equal(streamed(text, 1), whole(text.replaceAll("\r\n", "\n")));
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

test("a long reply in 2000 pieces costs far less than to read it from its beginning each time", () => {
  const text = "A paragraph of some words that is repeated often.\n\n".repeat(400);
  const blocks = new Blocks();
  const taking = cpu(() => {
    for (let end = 10; end < text.length; end += 10) blocks.take(text.slice(0, end));
  });
  assert.ok(taking < 300 * readingOnce(text));
});

test("a long block of code that is open needs no lexer", (t) => {
  const blocks = new Blocks();
  const text = "```py\n" + "x = [1, 2, 3]  # a line\n".repeat(4000);
  const { mock } = t.mock.method(Lexer.prototype, "lex");
  let taken;
  for (let end = 50; end < text.length; end += 50) taken = blocks.take(text.slice(0, end));
  assert.equal(mock.callCount(), 0);
  assert.equal(taken.open[0].unfinished, true);
  assert.equal(htmlOf(blocks.take(text + "```\n").open), htmlOf(dialect.lexer(text + "```\n")));
});

test("a block of code is closed by its own fence alone", () => {
  for (const text of ["````\n```\nx\n````\n", "~~~\n```\n~~~\n\nafter", "```\n ```\nafter"]) {
    assert.equal(streamed(text, 1), whole(text), text);
  }
  assert.equal(shown("```js\nx\n``"), '<pre><code class="language-js">x</code></pre>');
});

test("what is half written shows what it becomes", () => {
  const cases = {
    "a **bold": "<p>a <strong>bold</strong></p>",
    "a **bold *both": "<p>a <strong>bold <em>both</em></strong></p>",
    "a `code": "<p>a <code>code</code></p>",
    "a [link": "<p>a link</p>",
    "a [link](https://exa": '<p>a <a href="">link</a></p>',
    "a ![picture](https://exa": '<p>a <a class="picture" href="">picture</a></p>',
    "- one\n- **two": "<ul>\n<li>one</li>\n<li><strong>two</strong></li>\n</ul>",
    "> a *quote": "<blockquote>\n<p>a <em>quote</em></p>\n</blockquote>",
    "words\n-": "<p>words</p>",
    "words\n\n#": "<p>words</p>",
    "H<su": "<p>H</p>",
    "this &am": "<p>this </p>",
    "see [the docs][gui": "<p>see the docs</p>",
    "see [^no": "<p>see </p>",
  };
  for (const [text, expected] of Object.entries(cases)) assert.equal(shown(text), expected, text);
});

test("a word with marks inside it stays as it is", () => {
  for (const text of ["snake_case_na", "5 * 3 * 2", "2*3", "a[0", "f(x) = $5"]) {
    assert.equal(shown(text), `<p>${text}</p>`);
  }
});

test("half a table is a table", () => {
  const head = "<th>a</th>\n<th>b</th>";
  for (const rest of ["", " |", " |\n", " |\n|", " |\n|--", " |\n|---|---", " |\n|---|---|\n|"]) {
    const html = shown(`words\n\n| a | b${rest}`);
    assert.ok(html.includes(head), rest);
  }
  assert.ok(shown("| a | b |\n|---|---|\n| 1 | **2").includes("<td><strong>2</strong></td>"));
  assert.equal(shown("|x| is a number"), "<p>|x| is a number</p>");
});

test("a link that is defined further down shows its words until then", () => {
  const blocks = new Blocks();
  const text = "see [here][h], and there\n\nmore\n\n[h]: https://example.org/";
  const [paragraph] = blocks.take(text.slice(0, 32)).finished;
  assert.equal(htmlOf([paragraph]), "<p>see <a>here</a>, and there</p>\n");
  blocks.take(`${text}\n\nend`, { whole: true });
  assert.match(htmlOf(blocks.again(paragraph)), /<a href="https:\/\/example.org\/">here<\/a>/);
});

test("a link that is defined with the last words of all is one", () => {
  for (const end of ["", "\n", "\n\n"]) {
    const blocks = new Blocks();
    const text = `see [here][h], and there\n\n[h]: https://example.org/${end}`;
    const [paragraph] = blocks.take(text.slice(0, 30)).finished;
    blocks.take(text, { whole: true });
    assert.match(htmlOf(blocks.again(paragraph)), /<a href="https:\/\/example.org\/">here<\/a>/);
  }
});

test("notes are numbered as they are met; a mark that nothing explains stays as it is", () => {
  const blocks = new Blocks();
  const text = "one[^b] two[^a] three[^c]\n\n[^a]: the a\n[^b]: the *b*";
  const [paragraph] = blocks.take(text.slice(0, 40)).finished;
  blocks.take(text, { whole: true });
  const html = htmlOf(blocks.again(paragraph));
  assert.match(html, /one<sup class="note-mark"><a>1<\/a><\/sup> two<sup class="note-mark"><a>2</);
  assert.match(html, /three\[\^c\]/);
});
