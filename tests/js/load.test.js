import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { tmpdir } from "node:os";
import { after, test } from "node:test";
import { pathToFileURL } from "node:url";

import { load } from "../../conversations/static/conversations/js/load.js";

const folder = await mkdtemp(join(tmpdir(), "holdfast-"));
after(() => rm(folder, { recursive: true }));

async function module(name, text) {
  const path = join(folder, name);
  await writeFile(path, text);
  return pathToFileURL(path).href;
}

test("a module is loaded once", async () => {
  const name = await module("one.mjs", "export const it = {};");
  assert.equal((await load(name)).it, (await load(name)).it);
});

test("a module that could not be loaded is loaded once it can be", async () => {
  const name = await module("other.mjs", "throw new Error('broken')");
  await assert.rejects(load(name), /broken/);
  await module("other.mjs", "export const it = 1;");
  await assert.rejects(import(name), /broken/, "whoever loads it keeps the failure for good");
  assert.equal((await load(name)).it, 1);
});
