import assert from "node:assert/strict";
import { test } from "node:test";

import { isPressed, meant, shortcuts, written } from "../../conversations/static/conversations/js/keys.js";

const free = { isMac: false, field: "", empty: true, covered: false };

function press(key, more = {}) {
  const none = { altKey: false, ctrlKey: false, metaKey: false, shiftKey: false, isComposing: false };
  return { key, keyCode: 0, defaultPrevented: false, ...none, ...more };
}

const name = (event, now = {}) => meant(event, { ...free, ...now })?.name ?? null;

test("each shortcut is meant by its own keys and by no other's", () => {
  const shift = { shiftKey: true };
  const ctrl = { ctrlKey: true };
  assert.equal(name(press("Escape")), "stop");
  assert.equal(name(press("Escape", shift)), "compose");
  assert.equal(name(press("k", ctrl)), "search");
  assert.equal(name(press("K", { ...ctrl, ...shift })), null);
  assert.equal(name(press("O", { ...ctrl, ...shift })), "create");
  assert.equal(name(press("o", ctrl)), null);
  assert.equal(name(press("C", { ...ctrl, ...shift })), "copyLast");
  assert.equal(name(press("c", ctrl)), null);
  assert.equal(name(press("?", shift)), "list");
  assert.equal(name(press("?")), "list");
  assert.equal(name(press("/", ctrl)), "list");
});

test("on a Mac the command key takes the place of Ctrl", () => {
  assert.equal(name(press("k", { metaKey: true }), { isMac: true }), "search");
  assert.equal(name(press("k", { ctrlKey: true }), { isMac: true }), null);
  assert.equal(name(press("k", { metaKey: true })), null);
});

test("a key that an input method has, or that somebody took, means nothing", () => {
  assert.equal(name(press("Escape", { isComposing: true })), null);
  assert.equal(name(press("Escape", { keyCode: 229 })), null);
  assert.equal(name(press("Escape", { defaultPrevented: true })), null);
});

test("what a person types stays text", () => {
  for (const field of ["composer", "other"]) assert.equal(name(press("?", { shiftKey: true }), { field }), null);
  assert.equal(name(press("Escape"), { field: "composer" }), "stop");
  assert.equal(name(press("Escape"), { field: "other" }), null);
  assert.equal(name(press("k", { ctrlKey: true }), { field: "other" }), "search");
});

test("the arrow up edits from an empty message field only", () => {
  assert.equal(name(press("ArrowUp"), { field: "composer" }), "editLast");
  assert.equal(name(press("ArrowUp"), { field: "composer", empty: false }), null);
  assert.equal(name(press("ArrowUp")), null);
});

test("nothing below a dialog hears keys", () => {
  for (const key of ["Escape", "?"]) assert.equal(name(press(key), { covered: true }), null);
});

test("every shortcut is listed with words and keys", () => {
  for (const { keys, label } of shortcuts()) {
    assert.ok(label);
    for (const one of keys) {
      assert.ok(written(one, true).every(Boolean));
      assert.ok(written(one, false).every(Boolean));
    }
  }
  assert.deepEqual(written("Mod+Shift+O", false), ["Ctrl", "Shift", "O"]);
  assert.ok(isPressed("Mod+/", press("/", { ctrlKey: true }), false));
});
