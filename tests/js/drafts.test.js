import assert from "node:assert/strict";
import { test } from "node:test";

import { Drafts } from "../../conversations/static/conversations/js/drafts.js";
import { FakeStorage as Storage } from "./fakes.js";

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

const sent = (id, content = "How deep?") => ({ path: "/p", body: { reply_id: id, content } });

test("what was sent is kept beside what is begun since, until the server has it", () => {
  const storage = new Storage();
  const ours = drafts(storage);
  ours.write("a", "How deep?");
  ours.forget("a");
  ours.keepSaid("a", sent("r1"));
  ours.write("a", "begun since");
  ours.forget("a");
  assert.deepEqual(drafts(storage).saidIn("a"), [sent("r1")]);
  assert.deepEqual(drafts(storage).ids, ["a"]);
  ours.forgetSaid("a", "another");
  assert.equal(ours.saidIn("a").length, 1);
  ours.forgetSaid("a", "r1");
  assert.equal(storage.length, 0);
});

test("what the server has to get never makes room for drafts", () => {
  const storage = new Storage();
  const ours = drafts(storage);
  ours.keepSaid("sent", sent("r1"));
  for (let n = 0; n < 60; n++) ours.write(`c-${n}`, "text");
  assert.equal(ours.saidIn("sent").length, 1);
  assert.ok(storage.length <= 51);
});

test("a text that comes back stands before what was begun since, and only once", () => {
  const ours = drafts(new Storage());
  ours.write("a", "begun since");
  ours.add("a", { text: "sent first", files: ["f"] });
  assert.equal(ours.read("a"), "sent first\n\nbegun since");
  ours.add("a", { text: "sent first", files: ["f"] });
  assert.equal(ours.read("a"), "sent first\n\nbegun since");
  assert.deepEqual(ours.filesOf("a"), ["f"]);
  ours.write("gone", "written there");
  ours.move("gone", "new");
  assert.deepEqual([ours.read("gone"), ours.read("new")], ["", "written there"]);
  ours.add("a", { text: "sent" });
  assert.equal(ours.read("a"), "sent\n\nsent first\n\nbegun since");
});

test("one knows whether all that is written outlives the page", () => {
  const ours = drafts(null);
  assert.equal(ours.areSafe, true);
  ours.keepSaid("a", sent("r1"));
  assert.equal(ours.areSafe, false);
  ours.forgetSaid("a", "r1");
  assert.equal(ours.areSafe, true);
});
