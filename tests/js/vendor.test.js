import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";

const VENDOR = new URL("../../conversations/static/conversations/vendor/", import.meta.url);
const { packages } = JSON.parse(readFileSync(new URL("manifest.json", VENDOR)));
const pins = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url))).devDependencies;

test("vendored files are those of the manifest, byte for byte", () => {
  const files = packages.flatMap((one) => one.files);
  for (const { file, sha384 } of files) {
    const digest = createHash("sha384").update(readFileSync(new URL(file, VENDOR))).digest("base64");
    assert.equal(`sha384-${digest}`, sha384, file);
  }
  const listed = ["manifest.json", ...files.map(({ file }) => file)].sort();
  assert.deepEqual(readdirSync(VENDOR).sort(), listed);
});

test("vendored versions are the pinned ones, each with its licence", () => {
  for (const { name, version, license, files } of packages) {
    assert.equal(version, pins[name]);
    assert.ok(license);
    assert.ok(files.some(({ file }) => file.includes("LICENSE")), name);
  }
});
