// The examples are those of the specification:
// https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation

import assert from "node:assert/strict";
import { test } from "node:test";

import { SseParser } from "../../conversations/static/conversations/js/sse.js";

const parse = (...pieces) => {
  const parser = new SseParser();
  return pieces.flatMap((piece) => parser.push(piece));
};
const message = (data, id = "") => ({ event: "message", data, id });

test("several data lines are joined with line feeds", () => {
  assert.deepEqual(parse("data: YHOO\ndata: +2\ndata: 10\n\n"), [message("YHOO\n+2\n10")]);
});

test("comments are skipped, and an id stays until another comes", () => {
  const stream =
    ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n";
  const events = [message("first event", "1"), message("second event"), message(" third event")];
  assert.deepEqual(parse(stream), events);
});

test("an event without data is none, one with empty data is one", () => {
  assert.deepEqual(parse("event: ping\n\ndata\n\ndata\ndata\n\ndata:"), [message(""), message("\n")]);
});

test("one space after the colon is dropped", () => {
  assert.deepEqual(parse("data:test\n\ndata: test\n\n"), [message("test"), message("test")]);
});

test("the event's name holds for one event", () => {
  assert.deepEqual(parse("event: delta\ndata: 1\n\ndata: 2\n\n"), [
    { event: "delta", data: "1", id: "" },
    message("2"),
  ]);
});

test("every cut of CR, LF and CRLF streams gives the same events", () => {
  for (const end of ["\n", "\r", "\r\n"]) {
    const stream = ["\uFEFF: hi", "id: 1-2", "event: delta", "data: a", "data: b", "", ""].join(end);
    const whole = [{ event: "delta", data: "a\nb", id: "1-2" }];
    for (let cut = 0; cut <= stream.length; cut++) {
      assert.deepEqual(parse(stream.slice(0, cut), stream.slice(cut)), whole, `${cut} of ${end}`);
    }
    assert.deepEqual(parse(...stream), whole);
  }
});

test("a byte order mark counts as one only at the beginning", () => {
  assert.deepEqual(parse("\uFEFFdata: a\n\n\uFEFFdata: b\n\n"), [message("a")]);
});

test("an id with U+0000 and a retry that is no number are ignored", () => {
  const parser = new SseParser();
  parser.push("retry: 2000\n\nretry: soon\nid: 1\n\n");
  assert.deepEqual(parser.push("id: 2\0\ndata: a\n\n"), [message("a", "1")]);
  assert.equal(parser.retryMs, 2000);
});

test("the id of an event that never ended is not the last id", () => {
  const parser = new SseParser();
  parser.push("id: 1-1\ndata: a\n\nid: 1-2\ndata: b\n");
  assert.equal(parser.lastId, "1-1");
});

test("an event that the stream's end cuts off is dropped", () => {
  assert.deepEqual(parse("data: a\n\ndata: b\n"), [message("a")]);
});
