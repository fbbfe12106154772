import assert from "node:assert/strict";
import { test } from "node:test";

import { address, conversationAt } from "../../conversations/static/conversations/js/places.js";

const ID = "01997f3a-0000-7000-8000-000000000001";

test("paths of ours lie below the base that the page names", () => {
  assert.equal(address("/api/session", "/"), "/api/session");
  assert.equal(address("/api/session", "/assistant/"), "/assistant/api/session");
  assert.equal(address("/", "/assistant/"), "/assistant/");
});

test("an address names the conversation that its own address was made of", () => {
  for (const base of ["/", "/assistant/", "/a.b/c/"]) {
    assert.equal(conversationAt(address(`/c/${ID}`, base), base), ID);
  }
});

test("other addresses name none", () => {
  for (const pathname of ["/assistant/", `/c/${ID}`, `/assistant/c/${ID}/more`, "/assistant/c/x"]) {
    assert.equal(conversationAt(pathname, "/assistant/"), null);
  }
});
