import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

class Resizes {
  observe() {}
  unobserve() {}
}

globalThis.ResizeObserver = Resizes;
globalThis.addEventListener ??= () => {};
const { PoliteScroll } = await import("../../conversations/static/conversations/js/scroll.js");

const HEIGHT = 500;

/** Something that scrolls, and tells of it later, as browsers do. */
class Viewport {
  clientHeight = HEIGHT;
  scrollHeight = 2000;
  #top = 0;
  #heard = new Map();

  get scrollTop() {
    return this.#top;
  }

  set scrollTop(top) {
    this.#top = Math.max(0, Math.min(top, this.scrollHeight - this.clientHeight));
  }

  get isAtEnd() {
    return this.#top === this.scrollHeight - this.clientHeight;
  }

  addEventListener(type, heed) {
    this.#heard.set(type, heed);
  }

  focus() {
    this.isFocused = true;
  }

  tell(type, event = {}) {
    this.#heard.get(type)(event);
  }
}

let viewport, jump, scroll;

async function grow(by) {
  viewport.scrollHeight += by;
  scroll.follow();
  await null;
}

beforeEach(async () => {
  viewport = new Viewport();
  jump = { hidden: true, addEventListener: (_, press) => (jump.press = press) };
  scroll = new PoliteScroll(viewport, jump);
  await grow(0);
  assert(viewport.isAtEnd);
});

test("text that grows is followed at its end", async () => {
  await grow(400);
  assert(viewport.isAtEnd);
  assert(jump.hidden);
});

test("a reader who has just scrolled up is not brought back, though nobody told of it yet", async () => {
  viewport.scrollTop = 100;
  await grow(400);
  assert.equal(viewport.scrollTop, 100);
  assert(!jump.hidden);
  viewport.tell("scroll");
  await grow(400);
  assert.equal(viewport.scrollTop, 100);
});

test("the button that leads to the end leaves the focus in the text", async () => {
  viewport.scrollTop = 100;
  viewport.tell("scroll");
  jump.press();
  await null;
  assert(viewport.isAtEnd);
  assert(jump.hidden);
  assert(viewport.isFocused);
});

test("a reader who comes back to the end is followed again", async () => {
  viewport.scrollTop = 100;
  viewport.tell("scroll");
  viewport.scrollTop = 1490;
  viewport.tell("scroll");
  await grow(400);
  assert(viewport.isAtEnd);
});

test("text that grows before the page hears of its own scrolling is no reader who left", async () => {
  await grow(400);
  viewport.scrollHeight += 400;
  viewport.tell("scroll");
  await grow(0);
  assert(viewport.isAtEnd);
});

test("text that became shorter is followed on", async () => {
  viewport.scrollHeight = 900;
  viewport.scrollTop = viewport.scrollTop;
  await grow(0);
  await grow(300);
  assert(viewport.isAtEnd);
});

test("the text stays where it is under a hand that scrolls slowly", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  for (let step = 0; step < 4; step++) {
    viewport.tell("wheel", { deltaY: -20 });
    viewport.scrollTop -= 20;
    await grow(100);
  }
  assert.equal(viewport.scrollTop, 1420);
  context.mock.timers.tick(1000);
  await null;
  assert.equal(viewport.scrollTop, 1420);
});

test("a hand that moved nothing lets the text go on", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  viewport.tell("wheel", { deltaY: -20 });
  await grow(400);
  assert(!viewport.isAtEnd);
  context.mock.timers.tick(1000);
  await null;
  assert(viewport.isAtEnd);
});

test("the end is gone to when it is asked for", async () => {
  viewport.scrollTop = 100;
  viewport.tell("scroll");
  scroll.toEnd();
  await null;
  assert(viewport.isAtEnd);
});
