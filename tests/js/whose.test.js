import assert from "node:assert/strict";
import { test } from "node:test";

import { DraftsOfPeople } from "../../conversations/static/conversations/js/whose.js";
import { FakeStorage } from "./fakes.js";

const [alice, bob] = [{ id: "1", guest: false }, { id: "2", guest: false }];
const guest = { id: "7", guest: true };

/** A page that is loaded; signing in gives the browser another token. */
const load = (storage, token = "t") => new DraftsOfPeople(storage, { token });

function written(storage, user, text, token = "t") {
  const people = load(storage, token);
  people.meet(user, token);
  people.shown.write("new", text);
}

test("a person's drafts are there at once with the next page, and stay when they are known", () => {
  const storage = new FakeStorage();
  written(storage, alice, "begun");
  const people = load(storage);
  assert.equal(people.shown.read("new"), "begun");
  assert.equal(people.meet(alice, "t"), false);
  assert.equal(people.shown.read("new"), "begun");
});

test("who signs in after a session has ended sees nothing of the person before", () => {
  const storage = new FakeStorage();
  written(storage, alice, "a secret");
  const bobs = load(storage, "another");
  assert.equal(bobs.shown.read("new"), "", "not even before the server says who is here");
  bobs.meet(bob, "another");
  assert.equal(bobs.shown.read("new"), "");
  const alices = load(storage, "a third");
  assert.equal(alices.meet(alice, "a third"), true);
  assert.equal(alices.shown.read("new"), "a secret", "and it waits for whom it belongs to");
});

test("nobody in particular sees nothing of the person whose session has ended", () => {
  const storage = new FakeStorage();
  written(storage, alice, "a secret");
  const people = load(storage);
  assert.equal(people.meet(null, "t"), true);
  assert.equal(people.shown.read("new"), "");
});

test("what is begun before anybody is known goes with the person", () => {
  const storage = new FakeStorage();
  const people = load(storage);
  people.shown.write("new", "begun");
  people.meet(guest, "t");
  assert.equal(people.shown.read("new"), "begun");
  assert.equal(load(storage).shown.read("new"), "begun");
});

test("a guest who signs in, or becomes somebody, keeps the drafts", () => {
  for (const user of [alice, { ...guest, guest: false }]) {
    const storage = new FakeStorage();
    written(storage, guest, "begun");
    const people = load(storage, "another");
    people.meet(user, "another");
    assert.equal(people.shown.read("new"), "begun");
  }
});

test("where nothing can be stored the page keeps what is begun in it", () => {
  const people = load(null);
  people.shown.write("new", "begun");
  people.meet(guest, "t");
  assert.equal(people.shown.read("new"), "begun");
});
