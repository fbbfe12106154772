import assert from "node:assert/strict";
import { test } from "node:test";

import { Listing } from "../../conversations/static/conversations/js/listing.js";

const AT = (n) => new Date(Date.UTC(2026, 0, 1, 0, n)).toISOString();
const one = (n, more = {}) => ({ id: `id-${n}`, title: `${n}`, updated_at: AT(n), ...more });

/** A server with conversations 1 to `count`, in pages of three. */
function serverOf(count) {
  const server = { all: Array.from({ length: count }, (_, n) => one(n + 1)).reverse(), asked: 0 };
  const cut = (all, before) => {
    const from = before ? all.findIndex(({ id }) => id === before) + 1 : 0;
    const page = all.slice(from, from + 3);
    return [page, from + 3 < all.length ? page.at(-1).id : null];
  };
  server.read = async ({ before, pinned }) => {
    server.asked += 1;
    const pins = server.all.filter((each) => each.pinned);
    const [page, following] = cut(pinned ? pins : server.all, before);
    const answer = { conversations: page, before: following };
    if (!before) [answer.pinned, answer.pinned_before] = cut(pins);
    return answer;
  };
  return server;
}

const ids = (listing) => listing.conversations.map(({ id }) => Number(id.slice(3)));

test("pages follow one another to the end", async () => {
  const listing = new Listing(serverOf(7).read);
  await listing.refresh();
  assert.deepEqual(ids(listing), [7, 6, 5]);
  await listing.loadMore();
  await listing.loadMore();
  assert.deepEqual(ids(listing), [7, 6, 5, 4, 3, 2, 1]);
  assert.equal(listing.hasMore, false);
});

test("a refresh keeps what was loaded beyond the first page, and drops what is gone from it", async () => {
  const server = serverOf(7);
  const listing = new Listing(server.read);
  await listing.refresh();
  await listing.loadMore();
  server.all = [one(8), ...server.all.filter(({ id }) => id !== "id-6")];
  await listing.refresh();
  assert.deepEqual(ids(listing), [8, 7, 5, 4, 3, 2]);
  await listing.loadMore();
  assert.deepEqual(ids(listing), [8, 7, 5, 4, 3, 2, 1]);
});

test("what a refresh reads is told from what it keeps", async () => {
  const server = serverOf(7);
  server.all = server.all.map((each) => (each.id === "id-1" ? { ...each, pinned: true } : each));
  const listing = new Listing(server.read);
  await listing.refresh();
  await listing.loadMore();
  const newest = [1, 2, 3, 4, 5, 6, 7].filter((n) => listing.isNewest(`id-${n}`));
  assert.deepEqual(newest, [1, 5, 6, 7]);
});

test("what is pinned is known from the first page on, however old", async () => {
  const server = serverOf(9);
  server.all = server.all.map((each) => (each.id === "id-1" ? { ...each, pinned: true } : each));
  const listing = new Listing(server.read);
  await listing.refresh();
  assert.deepEqual(ids(listing), [9, 8, 7, 1]);
  await listing.refresh();
  await listing.loadMore();
  assert.deepEqual(ids(listing), [9, 8, 7, 6, 5, 4, 1]);
  server.all = server.all.map((each) => ({ ...each, pinned: false }));
  await listing.refresh();
  assert.equal(listing.get("id-1").pinned, false);
});

test("all that is pinned is known, however many there are", async () => {
  const server = serverOf(12);
  const pin = (each) => ({ ...each, pinned: Number(each.id.slice(3)) < 9 });
  server.all = server.all.map(pin);
  const listing = new Listing(server.read);
  await listing.refresh();
  assert.deepEqual(ids(listing), [12, 11, 10, 8, 7, 6, 5, 4, 3, 2, 1]);
  assert.equal(listing.conversations.filter(({ pinned }) => pinned).length, 8);
  await listing.loadMore();
  assert.deepEqual(ids(listing), [12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1]);
});

test("a conversation that the server does not know yet outlives a refresh", async () => {
  const listing = new Listing(serverOf(2).read);
  listing.put({ id: "id-0", title: "new" });
  await listing.refresh();
  assert.deepEqual(ids(listing), [0, 2, 1]);
});

test("what is hidden stays so whatever the server says, until it is not", async () => {
  const listing = new Listing(serverOf(2).read);
  await listing.refresh();
  listing.hide("id-2");
  await listing.refresh();
  assert.deepEqual(ids(listing), [1]);
  listing.unhide("id-2");
  assert.deepEqual(ids(listing), [2, 1]);
});

test("of two refreshes the later one counts, also where its answer comes first", async () => {
  const answers = [];
  const listing = new Listing(() => new Promise((resolve) => answers.push(resolve)));
  const both = [listing.refresh(), listing.refresh()];
  answers[1]({ conversations: [one(2)], before: null });
  answers[0]({ conversations: [one(1)], before: null });
  await Promise.all(both);
  assert.deepEqual(ids(listing), [2]);
});
