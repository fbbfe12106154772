import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";

import { dialect } from "../../conversations/static/conversations/js/dialect.js";
import { formulaAt, standsAlone, texOf } from "../../conversations/static/conversations/js/formulas.js";
import { VENDORED, languageOf } from "../../conversations/static/conversations/js/languages.js";

const html = (text) => dialect.parse(text).trim();
const math = (source) => `<span class="math">${source}</span>`;

test("formulas are found in all four kinds of marks", () => {
  for (const source of ["$a_1*b_2$", "\\(a*b*c\\)", "$$x^2$$", "\\[x_1\\]"]) {

    assert.equal(html(`so ${source} is`), `<p>so ${math(source)} is</p>`);
  }
});

test("a formula that stands alone ends the paragraph above it", () => {
  assert.equal(html("so\n$$\na\n+ b\n= c\n$$\nand"), `<p>so</p>\n<p>${math("$$\na\n+ b\n= c\n$$")}</p>\n<p>and</p>`);
});

test("prices, variables and code are no formulas", () => {
  const texts = [
    "it costs $5 and $6",
    "from $5-$10 to US$7 or $8",
    "between $5 and ten$",
    "echo $HOME/$USER",
    "a $ b $ c",
  ];
  for (const text of texts) assert.equal(html(text), `<p>${text}</p>`);
  assert.equal(html("`$x$`"), "<p><code>$x$</code></p>");
  assert.equal(html("\\$x$"), "<p>$x$</p>");
});

test("a formula ends at a blank line, and stars in it are no emphasis", () => {
  assert.ok(!html("$$\na\n\nb\n$$").includes('class="math"'));
  assert.equal(html("**bold $a*b$ end**"), `<p><strong>bold ${math("$a*b$")} end</strong></p>`);
});

test("the source of a formula is what is between its marks", () => {
  assert.equal(texOf("$$ x $$"), "x");
  assert.equal(texOf("\\(y\\)"), "y");
  assert.equal(texOf("$z$"), "z");
  assert.deepEqual(["$$x$$", "\\[x\\]", "$x$", "\\(x\\)"].map(standsAlone), [true, true, false, false]);
  assert.equal(formulaAt("$x$ and $y$"), "$x$");
});

test("HTML is text, but for tags that say nothing else", () => {
  assert.equal(html("H<sub>2</sub>O<br>x"), "<p>H<sub>2</sub>O<br>x</p>");
  assert.equal(html("a <b>c</b>"), "<p>a &lt;b&gt;c&lt;/b&gt;</p>");
  assert.equal(html("a <sub onclick=x>c"), "<p>a &lt;sub onclick=x&gt;c</p>");
  assert.equal(html("<div>x</div>"), '<p class="verbatim">&lt;div&gt;x&lt;/div&gt;</p>');
});

test("a picture is a link", () => {
  const picture = '<a class="picture" href="https://h.org/a.png">alt</a>';
  assert.equal(html("![alt](https://h.org/a.png)"), `<p>${picture}</p>`);
});

test("a note keeps what is indented below it", () => {
  assert.match(html("[^1]: one\n\n    two\n\nthree"), /<p>one<\/p>\n<p>two<\/p>\n<\/div>\n<p>three/);
});

test("languages are found by what fences call them", () => {
  assert.deepEqual(languageOf("PY"), { title: "Python", grammars: ["python"] });
  assert.deepEqual(languageOf("html"), { title: "HTML", grammars: ["xml", "css", "javascript"] });
  assert.deepEqual(languageOf("text"), { title: "", grammars: [] });
  assert.deepEqual(languageOf("cobol"), { title: "cobol", grammars: [] });
  assert.deepEqual(languageOf("constructor"), { title: "constructor", grammars: [] });
});

test("each language has a grammar that is vendored", () => {
  const vendor = new URL("../../conversations/static/conversations/vendor/", import.meta.url);
  const files = new Set(readdirSync(vendor));
  for (const name of VENDORED) assert.ok(files.has(`highlight-${name}.js`), name);
});
