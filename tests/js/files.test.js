import assert from "node:assert/strict";
import test from "node:test";

import {
  attachmentsOf,
  isDragOfFiles,
  isImage,
  isPasteOfFiles,
  noteAbout,
  obstacleTo,
  partsOf,
  sizeOf,
} from "../../conversations/static/conversations/js/files.js";

test("a size is read in the largest unit that leaves a whole number", () => {
  assert.equal(sizeOf(0, "en"), "0 bytes");
  assert.equal(sizeOf(999, "en"), "999 bytes");
  assert.equal(sizeOf(1234, "en"), "1.2 kB");
  assert.equal(sizeOf(20_971_520, "en"), "21 MB");
  assert.equal(sizeOf(3e12, "en"), "3,000 GB");
});

test("a file that the server would refuse is not sent there", () => {
  const limits = { attachment_bytes: 1000 };
  assert.equal(obstacleTo({ size: 1000 }, limits), "");
  assert.equal(obstacleTo({ size: 1001 }, limits), "Larger than 1 kB");
  assert.equal(obstacleTo({ size: 0 }, limits), "The file is empty.");
  assert.equal(obstacleTo({ size: 1e9 }, {}), "");
});

test("a picture that is pasted is a file, a piece of a document is text", () => {
  assert.equal(isPasteOfFiles(["text/plain"], 0), false);
  assert.equal(isPasteOfFiles(["Files"], 1), true);
  assert.equal(isPasteOfFiles(["text/html", "Files"], 1), true);
  assert.equal(isPasteOfFiles(["text/plain", "Files"], 1), true);
  assert.equal(isPasteOfFiles(["text/plain", "text/html", "Files"], 1), false);
  assert.equal(isPasteOfFiles(["text/plain", "text/rtf", "Files"], 1), false);
});

test("text that is dragged is not taken for files", () => {
  assert.equal(isDragOfFiles(["text/plain"]), false);
  assert.equal(isDragOfFiles(["text/uri-list", "Files"]), true);
  assert.equal(isDragOfFiles(undefined), false);
});

test("a question's files come before its text and are found again", () => {
  const files = [{ id: "1" }, { id: "2" }];
  const parts = partsOf("Look", files);
  assert.deepEqual(parts.map(({ kind }) => kind), ["attachment", "attachment", "text"]);
  assert.deepEqual(attachmentsOf({ parts }), files);
  assert.equal(partsOf("", files).length, 2);
  assert.deepEqual(attachmentsOf({}), []);
});

test("the most urgent note comes first", () => {
  const fine = { failed: false, waits: false, images: false, sees: false };
  assert.equal(noteAbout(fine), "");
  assert.equal(noteAbout({ ...fine, images: true, sees: true }), "");
  assert.match(noteAbout({ ...fine, images: true }), /cannot see/);
  assert.match(noteAbout({ ...fine, images: true, waits: true }), /as soon as/);
  assert.match(noteAbout({ ...fine, images: true, waits: true, failed: true }), /Try it again/);
});

test("what every browser shows is an image, a drawing with scripts is none", () => {
  assert.ok(isImage("image/webp"));
  assert.ok(!isImage("image/svg+xml"));
  assert.ok(!isImage(""));
});
