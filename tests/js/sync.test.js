import assert from "node:assert/strict";
import { test } from "node:test";

import { Sync } from "../../conversations/static/conversations/js/sync.js";
import { FakeClock, settled } from "./fakes.js";

function watching({ revision = 5 } = {}) {
  const clock = new FakeClock();
  const server = { revision };
  const shown = { id: "c", revision };
  const did = [];
  const sync = new Sync({
    clock,
    readList: async () => {
      did.push("list");
      return server.revision;
    },
    shown: () => shown,
    readShown: async () => {
      did.push("shown");
      shown.revision = server.revision;
    },
    onDeleted: (id) => did.push(`deleted ${id}`),
  });
  const tell = (revision, type, conversation_id = "c") => {
    server.revision = Math.max(server.revision, revision);
    sync.take({ type, revision, conversation_id });
  };
  const done = async () => {
    await clock.advance(60);
    await settled();
    return did.splice(0);
  };
  return { sync, server, shown, clock, tell, done, did };
}

async function known() {
  const world = watching();
  world.sync.at(5);
  await world.done();
  return world;
}

test("the first word from the server reads the list, and a conversation that is older", async () => {
  const { sync, done, shown } = watching();
  shown.revision = 4;
  sync.at(5);
  assert.deepEqual(await done(), ["shown", "list"]);
  sync.at(5);
  assert.deepEqual(await done(), []);
});

test("what has changed is read at the next time where it could not be read", async () => {
  const [clock, asked] = [new FakeClock(), []];
  const readList = async (changed) => {
    asked.push(changed);
    if (asked.length === 1) throw new TypeError("Failed to fetch");
    return 7;
  };
  const sync = new Sync({ clock, readList, shown: () => null });
  sync.take({ type: "conversation.updated", revision: 6, conversation_id: "c" });
  await clock.advance(60);
  sync.take({ type: "conversation.updated", revision: 7, conversation_id: "d" });
  await clock.advance(60);
  assert.deepEqual(asked.map((ids) => ids.sort()), [["c"], ["c", "d"]]);
});

test("the changes of one moment are one request each", async () => {
  const { tell, done } = await known();
  tell(6, "message.created");
  tell(6, "conversation.updated");
  tell(6, "run.started");
  tell(7, "run.ended");
  assert.deepEqual(await done(), ["shown", "list"]);
  assert.deepEqual(await done(), []);
});

test("a change of another conversation reads the list only", async () => {
  const { tell, done } = await known();
  tell(6, "conversation.updated", "d");
  assert.deepEqual(await done(), ["list"]);
});

test("an unknown kind of change is read like any other", async () => {
  const { tell, done } = await known();
  tell(6, "message.rated");
  assert.deepEqual(await done(), ["shown", "list"]);
});

test("a revision that jumps means that something was missed: all is read again", async () => {
  const { tell, done } = await known();
  tell(8, "conversation.updated", "d");
  assert.deepEqual(await done(), ["shown", "list"]);
});

test("a reconnect reads again what changed meanwhile, and nothing where nothing did", async () => {
  const { sync, server, done } = await known();
  sync.at(5);
  assert.deepEqual(await done(), []);
  server.revision = 9;
  sync.at(9);
  assert.deepEqual(await done(), ["shown", "list"]);
});

test("an echo of what was read already asks for nothing", async () => {
  const { sync, server, shown, tell, done } = await known();
  server.revision = shown.revision = 6;
  await sync.readList();
  await done();
  tell(6, "conversation.updated");
  assert.deepEqual(await done(), []);
});

test("what changed is named to whoever reads the list, once", async () => {
  const named = [];
  const clock = new FakeClock();
  const sync = new Sync({
    clock,
    readList: async (changed) => named.push(changed) && 9,
    shown: () => null,
    readShown: async () => {},
    onDeleted() {},
  });
  sync.take({ type: "conversation.updated", revision: 1, conversation_id: "c" });
  sync.take({ type: "conversation.updated", revision: 1, conversation_id: "c" });
  sync.take({ type: "run.ended", revision: 2, conversation_id: "d" });
  await clock.advance(60);
  await sync.readList();
  assert.deepEqual(named, [["c"], []]);
});

test("a deletion is told at once", async () => {
  const { tell, did } = await known();
  tell(6, "conversation.deleted", "d");
  assert.deepEqual(did, ["deleted d"]);
});

test("who asks for the list while it is read shares the next answer", async () => {
  const { sync, did } = await known();
  await Promise.all([sync.readList(), sync.readList(), sync.readList()]);
  assert.deepEqual(did, ["list", "list"]);
});

test("a change while the list is read is not lost", async () => {
  const { sync, tell, done } = await known();
  const reading = sync.readList();
  tell(6, "conversation.updated", "d");
  await reading;
  assert.ok((await done()).includes("list"));
});

test("what cannot be read is not asked for in circles", async () => {
  const clock = new FakeClock();
  let asked = 0;
  const sync = new Sync({
    clock,
    readList: async () => {
      asked++;
      throw new TypeError("Failed to fetch");
    },
    shown: () => null,
    readShown: async () => {},
    onDeleted() {},
  });
  sync.at(3);
  for (let i = 0; i < 5; i++) await clock.advance(60);
  assert.equal(asked, 1);
  sync.at(3);
  await clock.advance(60);
  assert.equal(asked, 2);
});
