import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { test } from "node:test";

import { newId } from "../../conversations/static/conversations/js/ids.js";

const UUID4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

test("ids are random UUIDs, with and without a secure context", () => {
  assert.match(newId(webcrypto), UUID4);
  const insecure = { getRandomValues: (bytes) => webcrypto.getRandomValues(bytes) };
  assert.match(newId(insecure), UUID4);
  assert.notEqual(newId(insecure), newId(insecure));
});
