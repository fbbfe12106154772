// One open conversation: its messages, and the reply that is being written.

import { again } from "./again.js";
import { ask, readMessage, request } from "./api.js";
import { Refused, follow } from "./events.js";
import { newId } from "./ids.js";
import { pendingReply, reopened } from "./reply.js";
import { Transcript } from "./transcript.js";
import { branchTo } from "./tree.js";

export class OpenConversation {
  #page;
  #follower = null;
  #follows = 0;
  #connection = { state: "closed", accepted: true };
  #wantsStop = false;
  #leaving = false;

  /**
   * @param {string} id
   * @param {object} page what the conversation tells the page, see page.js
   * @param {{isNew?: boolean}} options
   */
  constructor(id, page, { isNew = false } = {}) {
    this.id = id;
    this.isNew = isNew;
    this.model = "";
    this.title = "";
    this.loaded = isNew;
    /** The person's revision when it was read: what changed later is not in it. */
    this.revision = 0;
    this.#page = page;
    this.transcript = new Transcript({
      nameOf: page.nameOf,
      onDrawn: () => page.onDrawn(this),
      onAction: (action, reply) => this.#act(action, reply),
    });
  }

  get isRunning() {
    return this.#follower !== null;
  }

  get connection() {
    return this.#connection;
  }

  get reply() {
    return this.#follower?.reply ?? null;
  }

  /** Read what is stored, show it, and follow what is being written. */
  async refresh() {
    this.#leaving = false;
    if (this.isNew || this.isRunning) return;
    const follows = this.#follows;
    const [conversation, { messages, revision }] = await again(() => {
      const path = `/api/conversations/${this.id}`;
      return Promise.all([ask(path), ask(`${path}/messages`)]);
    });
    // A reply that was followed since may be missing in what was read.
    if (this.#follows !== follows || this.#leaving) return;
    this.loaded = true;
    this.revision = Math.min(conversation.revision, revision);
    this.model = conversation.model;
    this.title = conversation.title;
    const branch = branchTo(messages, conversation.head);
    this.transcript.show(branch);
    const running = branch.find((message) => message.status === "running");
    if (running) this.#follow(this.transcript.reply(running.id).reply);
  }

  /** Ask; the question and the waiting reply are shown at once. */
  send(content, model) {
    const [id, replyId] = [newId(), newId()];
    this.transcript.addQuestion({ id, content });
    this.#follow(this.#added(pendingReply(replyId, { model })), {
      prepare: () => this.#create(model),
      path: `/api/conversations/${this.id}/messages`,
      body: { id, reply_id: replyId, content, model },
      onRefused: () => {
        this.transcript.remove(replyId);
        this.transcript.remove(id);
        this.#page.onNotSent(this, content);
      },
    });
  }

  /** End the reply that is being written. */
  async stop() {
    const follower = this.#follower;
    if (!follower) return;
    if (!follower.accepted) {
      this.#wantsStop = true;
      return;
    }
    try {
      await again(() => ask(`/api/runs/${follower.reply.id}/stop`, { method: "POST" }));
    } catch (error) {
      this.#page.onTrouble(this, error);
    }
  }

  /** Nobody looks any more. What the server has not taken yet is still brought to it. */
  leave() {
    this.#leaving = true;
    if (!this.#follower || !this.#follower.accepted) return;
    this.#follower.close();
    this.#follower = null;
  }

  wake() {
    this.#follower?.wake();
  }

  sleep() {
    this.#follower?.sleep();
  }

  #act(action, reply) {
    if (this.isRunning) return;
    if (action === "continue") this.#continue(reply);
    else this.#regenerate(reply);
  }

  #continue(reply) {
    this.#follow(reopened(reply), {
      path: `/api/messages/${reply.id}/continue`,
      body: { after: reply.cursor },
      onRefused: () => this.transcript.reply(reply.id).update(reply),
    });
  }

  #regenerate(reply) {
    const replyId = newId();
    const model = this.#page.chosenModel();
    this.transcript.remove(reply.id);
    this.#follow(this.#added(pendingReply(replyId, { model })), {
      path: `/api/messages/${reply.id}/regenerate`,
      body: { reply_id: replyId, model },
      onRefused: () => {
        this.transcript.remove(replyId);
        this.transcript.addReply(reply);
      },
    });
  }

  #added(reply) {
    this.transcript.addReply(reply);
    return reply;
  }

  async #create(model) {
    if (!this.isNew) return;
    const body = { id: this.id, model };
    await ask("/api/conversations", { method: "POST", body });
    this.isNew = false;
    this.model = model;
  }

  #follow(reply, start = null) {
    this.#follows += 1;
    this.#wantsStop = false;
    const bubble = this.transcript.reply(reply.id);
    bubble.update(reply);
    this.#follower = follow({
      reply,
      start,
      load: (signal) => readMessage(this.id, reply.id, signal),
      fetch: request,
      transport: this.#page.transport(),
      isOnline: () => navigator.onLine,
      heartbeatSeconds: this.#page.heartbeatSeconds(),
      onReply: (state) => {
        bubble.update(state);
        this.#page.onChange(this);
      },
      onConnection: (connection) => this.#connected(connection),
      onEnd: (end) => this.#ended(end, start),
    });
    this.#page.onChange(this);
    if (start) this.#page.onStarted(this);
  }

  #connected(connection) {
    const taken = connection.accepted && !this.#connection.accepted;
    this.#connection = connection;
    this.#page.onChange(this);
    if (!taken) return;
    this.#page.onAccepted(this);
    // The follower is still being told; it may be closed with the next turn.
    if (this.#wantsStop) queueMicrotask(() => this.stop());
    if (this.#leaving) queueMicrotask(() => this.leave());
  }

  #ended({ outcome, reply, error }, start) {
    this.#follower = null;
    this.#connection = { state: "closed", accepted: true };
    if (outcome === "settled") this.#page.onSettled(this, reply);
    else if (outcome === "gone") this.#page.onGone(this);
    else {
      start?.onRefused();
      this.#page.onTrouble(this, new Refused(error.status, error));
    }
    this.#page.onChange(this);
    if (outcome !== "gone" && !this.#leaving) {
      this.refresh().catch((failure) => this.#page.onTrouble(this, failure));
    }
  }
}
