// Asks one question and shows the reply while it is written, by events.js alone. The address keeps
// which reply it is: reload the page in the middle, or send the link to another device of yours.
// Which model, the address may say as well: one-reply.html?model=demo

import { Refused, follow } from "/static/conversations/js/events.js";
import { pendingReply, replyFrom, textOf } from "/static/conversations/js/reply.js";

const byId = (id) => document.getElementById(id);
const model = new URLSearchParams(location.search).get("model");
let follower = null;

/** `fetch` that answers the site's check against forged requests. */
function request(path, init = {}) {
  if (!init.method || init.method === "GET") return fetch(path, init);
  const token = document.cookie.match(/csrftoken=([^;]+)/)?.[1] ?? "";
  return fetch(path, { ...init, headers: { ...init.headers, "X-CSRFToken": token } });
}

async function json(path, init) {
  const answer = await request(path, { ...init, cache: "no-store" });
  if (!answer.ok) throw await Refused.from(answer);
  return answer.json();
}

/** Read the reply as it is stored. */
async function load(place, signal) {
  const { messages } = await json(`/api/conversations/${place.conversation}/messages`, { signal });
  const found = messages.find((message) => message.id === place.reply);
  if (found) return found;
  throw new Refused(404, { code: "not_found", message: "There is no such reply." });
}

function show(place, reply, start) {
  follower?.close();
  byId("stop").disabled = false;
  follower = follow({
    reply,
    start,
    fetch: request,
    load: (signal) => load(place, signal),
    isOnline: () => navigator.onLine,
    onReply: (state) => (byId("reply").textContent = textOf(state)),
    onConnection: ({ state, accepted }) => (byId("state").textContent = accepted ? state : "sending"),
    onEnd({ outcome, reply, error }) {
      byId("stop").disabled = true;
      byId("state").textContent = error?.message ?? `${outcome}: ${reply.status} ${reply.reason}`;
    },
  });
  byId("reply").textContent = textOf(reply);
}

/** Ask. All three requests may be repeated: their ids are ours, so nothing is done twice. */
function ask(content) {
  const place = { conversation: crypto.randomUUID(), reply: crypto.randomUUID() };
  history.replaceState(null, "", `#${place.conversation}/${place.reply}`);
  show(place, pendingReply(place.reply), {
    async prepare() {
      await json("/api/session"); // sets the cookie that the token comes from
      const headers = { "Content-Type": "application/json" };
      const body = JSON.stringify({ id: place.conversation, model });
      await json("/api/conversations", { method: "POST", headers, body });
    },
    path: `/api/conversations/${place.conversation}/messages`,
    body: { content, reply_id: place.reply },
  });
}

async function resume() {
  const [conversation, reply] = location.hash.slice(1).split("/");
  if (!reply) return;
  const place = { conversation, reply };
  try {
    show(place, replyFrom(await load(place)));
  } catch (error) {
    byId("state").textContent = error.message;
  }
}

byId("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  ask(byId("question").value);
});
byId("stop").addEventListener("click", () => {
  const headers = { "Content-Type": "application/json" };
  request(`/api/runs/${follower.reply.id}/stop`, { method: "POST", headers, body: "{}" });
});
addEventListener("online", () => follower?.wake());
addEventListener("offline", () => follower?.sleep());
addEventListener("pageshow", (event) => event.persisted && follower?.wake());
document.addEventListener("visibilitychange", () => document.hidden || follower?.wake());
resume();
