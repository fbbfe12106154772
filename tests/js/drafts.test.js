import assert from "node:assert/strict";
import { test } from "node:test";

import { Drafts } from "../../conversations/static/conversations/js/drafts.js";

class Storage {
  items = new Map();
  room = Infinity;
  get length() {
    return this.items.size;
  }
  key(n) {
    return [...this.items.keys()][n] ?? null;
  }
  getItem(key) {
    return this.items.get(key) ?? null;
  }
  setItem(key, value) {
    const used = [...this.items].reduce((sum, [k, v]) => sum + (k === key ? 0 : v.length), 0);
    if (used + value.length > this.room) throw new DOMException("full", "QuotaExceededError");
    this.items.set(key, value);
  }
  removeItem(key) {
    this.items.delete(key);
  }
}

let time = 0;
const drafts = (storage, base) => new Drafts(storage, { base, now: () => ++time });

test("a draft is there after a reload, until it is forgotten or emptied", () => {
  const storage = new Storage();
  drafts(storage).write("a", "begun");
  assert.equal(drafts(storage).read("a"), "begun");
  drafts(storage).write("a", "  ");
  assert.equal(drafts(storage).read("a"), "");
  drafts(storage).write("b", "begun");
  drafts(storage).forget("b");
  assert.equal(storage.length, 0);
});

test("files wait with a draft, or alone, until they are sent or taken away", () => {
  const storage = new Storage();
  drafts(storage).write("a", "begun");
  assert.deepEqual(drafts(storage).filesOf("a"), []);
  drafts(storage).writeFiles("a", ["f1", "f2"]);
  drafts(storage).write("a", "more");
  assert.equal(drafts(storage).read("a"), "more");
  drafts(storage).write("a", "");
  assert.deepEqual(drafts(storage).filesOf("a"), ["f1", "f2"]);
  drafts(storage).writeFiles("a", []);
  assert.equal(storage.length, 0);
  storage.setItem("holdfast:draft:/:old", '{"text": "from before", "at": 1}');
  assert.deepEqual(drafts(storage).filesOf("old"), []);
});

test("the oldest drafts make room for new ones; what is not ours stays", () => {
  const storage = new Storage();
  storage.setItem("theirs", "1");
  const ours = drafts(storage);
  for (let n = 0; n < 60; n++) ours.write(`c-${n}`, "text");
  assert.equal(storage.length, 51);
  assert.equal(ours.read("c-9"), "");
  assert.equal(ours.read("c-10"), "text");
  assert.equal(storage.getItem("theirs"), "1");
});

test("a storage that is full costs older drafts, or what outlives the page", () => {
  const storage = new Storage();
  const ours = drafts(storage);
  for (const id of ["a", "b", "c", "d"]) ours.write(id, "x".repeat(100));
  storage.room = 550;
  ours.write("e", "y".repeat(200));
  assert.equal(ours.read("e"), "y".repeat(200));
  assert.equal(ours.read("d"), "x".repeat(100));
  assert.equal(ours.read("a"), "");
  ours.write("f", "z".repeat(9000));
  assert.equal(ours.read("f"), "z".repeat(9000));
  assert.equal(drafts(storage).read("f"), "");
});

test("a storage that is missing or forbidden does no harm", () => {
  const forbidden = new Proxy({}, { get() { throw new DOMException("no", "SecurityError"); } });
  for (const storage of [null, forbidden]) {
    const ours = drafts(storage);
    ours.write("a", "begun");
    assert.equal(ours.read("a"), "begun");
    ours.clear();
    assert.equal(ours.read("a"), "");
  }
});

test("what others have written under our names is no draft", () => {
  const storage = new Storage();
  storage.setItem("holdfast:draft:/:a", "{");
  storage.setItem("holdfast:draft:/:b", '{"text": 5}');
  assert.equal(drafts(storage).read("a"), "");
  assert.equal(drafts(storage).read("b"), "");
});

test("two chats of one site keep their drafts apart", () => {
  const storage = new Storage();
  drafts(storage, "/one/").write("new", "first");
  assert.equal(drafts(storage, "/two/").read("new"), "");
  assert.equal(drafts(storage, "/one/").idOf("holdfast:draft:/one/:new"), "new");
  assert.equal(drafts(storage, "/one/").idOf("holdfast:draft:/two/:new"), null);
  assert.equal(drafts(storage, "/one/").idOf(null), null);
});
