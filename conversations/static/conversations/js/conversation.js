// One open conversation: its messages, and the reply that is being written.

import { again } from "./again.js";
import { ask, readMessage, request } from "./api.js";
import { Refused, follow } from "./events.js";
import { latestWins } from "./latest.js";
import { deleteMessage } from "./ondemand.js";
import { reopened, replyFrom, textOf } from "./reply.js";
import { continued, edited, regenerated, said, sent } from "./starts.js";
import { Transcript } from "./transcript.js";
import { Tree, withFollowers } from "./tree.js";

export class OpenConversation {
  #page;
  #follower = null;
  #follows = 0;
  #choices = 0;
  #modelChoices = 0;
  #connection = { state: "closed", accepted: true };
  #wantsStop = false;
  #leaving = false;
  #tree = new Tree();
  #head = latestWins((head) => this.#change({ head }));
  #keptModel = latestWins((model) => this.#change({ model }));

  /**
   * @param {string} id
   * @param {object} page what the conversation tells the page, see page.js
   * @param {{isNew?: boolean, settings?: object}} options `settings` of a new one, as the API has them
   */
  constructor(id, page, { isNew = false, settings = {} } = {}) {
    this.id = id;
    this.isNew = isNew;
    this.settings = settings;
    this.model = "";
    this.title = "";
    this.loaded = isNew;
    /** The person's revision when it was read: what changed later is not in it. */
    this.revision = 0;
    this.#page = page;
    this.transcript = new Transcript({
      nameOf: page.nameOf,
      models: page.models,
      onGrown: () => page.onGrown(this),
      onTrouble: (error) => page.onTrouble(this, error),
      onAction: (action, message, detail) => this.#act(action, message, detail),
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
    const [follows, choices] = [this.#follows, this.#choices];
    const modelChoices = this.#modelChoices;
    const [conversation, { messages, revision }] = await again(() => {
      const path = `/api/conversations/${this.id}`;
      return Promise.all([ask(`${path}?messages=false`), ask(`${path}/messages`)]);
    });
    // A reply that was followed since may be missing in what was read.
    if (this.#follows !== follows || this.#leaving) return;
    this.loaded = true;
    this.revision = Math.min(conversation.revision, revision);
    const isChosen = this.#modelChoices !== modelChoices || this.#keptModel.wanted !== undefined;
    if (!isChosen) this.model = conversation.model;
    this.title = conversation.title;
    // Nor is a branch known there that was chosen since; and one that is written in is not taken away.
    const isKept = this.#choices !== choices || this.transcript.isEdited;
    const chosen = this.#head.wanted ?? (isKept ? this.#tree.head : null);
    this.#tree.take(messages, chosen ?? conversation.head);
    this.#show();
    const running = messages.find((message) => message.status === "running");
    if (running) this.#follow(this.transcript.of(running.id)?.reply ?? replyFrom(running));
  }

  /** Take the model that somebody chose; what is being read may not have it. */
  use(model) {
    this.#modelChoices += 1;
    this.model = model;
  }

  /** Take the model that somebody chose, and keep it. */
  async choose(model) {
    this.use(model);
    if (this.isNew) return;
    try {
      await this.#keptModel.keep(model);
    } finally {
      this.#modelChoices += 1;
    }
  }

  /** Ask; the question and the waiting reply are shown at once. */
  send(content, model, attachments = []) {
    const parent = this.#tree.branch.at(-1)?.id ?? null;
    this.#say(sent(this.id, { parent, content, attachments, model }));
  }

  /** Bring to the server what was said before this page was loaded, unless it has it. */
  async resume(kept) {
    const { id, reply_id: replyId } = kept.body;
    if (this.reply?.id === replyId) return;
    [this.isNew, this.settings] = [false, kept.settings];
    await this.refresh().catch((error) => {
      if (!kept.isNew || ![401, 404].includes(error.status)) throw error;
      this.isNew = this.loaded = true;
    });
    if (this.#tree.messages.some((message) => message.id === id)) this.#page.onOver(this, replyId);
    else if (this.isRunning) this.#notSaid(kept);
    else this.#say(said(kept));
  }

  /** Open the editor of a version that was not taken; false where its question is not shown. */
  editAgain({ of, body }) {
    const question = this.transcript.of(of);
    question?.edit(body.content);
    return question !== undefined;
  }

  /**
   * Show a branch that has this message, and keep it.
   * @returns {boolean} whether there is such a message
   */
  showBranchOf(id) {
    if (this.transcript.of(id)) return true;
    if (!this.#tree.messages.some((message) => message.id === id)) return false;
    this.#turnTo(id);
    return true;
  }

  /** Open the editor of the last question that is shown; false where there is none. */
  editLast() {
    const last = this.transcript.all.findLast((bubble) => bubble.edit);
    last?.edit();
    return last !== undefined;
  }

  /** The text of the last reply that is shown; empty where there is none. */
  get lastText() {
    const texts = this.transcript.all.map(({ reply }) => (reply ? textOf(reply) : ""));
    return texts.findLast(Boolean) ?? "";
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
    this.#tree.note(this.#follower.reply);
    this.#follower.close();
    this.#follower = null;
  }

  wake() {
    this.#follower?.wake();
  }

  sleep() {
    this.#follower?.sleep();
  }

  #act(action, message, detail) {
    if (action === "reconnect") return this.#reconnect();
    if (action === "choose") return this.#choose(message, detail);
    if (action === "rate") return this.#rated(message.id, detail);
    if (this.isRunning) return this.#page.onBusy(this);
    if (action === "continue") this.#continue(message);
    else if (action === "edit") this.#edit(message, detail);
    else if (action === "delete") this.#delete(message);
    else this.#regenerate(message, detail ?? this.#page.chosenModel());
  }

  #reconnect() {
    if (this.isRunning) this.#follower.wake();
    else this.refresh().catch((error) => this.#page.onTrouble(this, error));
  }

  #rated(id, given) {
    this.#tree.mark(id, given);
    this.transcript.of(id)?.rated(given);
  }

  #choose(message, { id, step }) {
    this.#page.steady(this, this.transcript.of(message.id).element, () => {
      this.#turnTo(id);
      const shown = this.transcript.of(id);
      shown.branches.focus(step);
      return shown.element;
    });
  }

  /** Show the branch of a message, here at once and wherever this conversation is opened. */
  #turnTo(id) {
    this.#choices += 1;
    this.#tree.choose(id);
    this.#show();
    const { head } = this.#tree;
    // What the server is still being told of becomes the head there by itself.
    if (head === this.reply?.id && !this.#follower.accepted) return;
    this.#head
      .keep(head)
      .catch((error) => this.#page.onTrouble(this, error))
      .finally(() => (this.#choices += 1)); // what was read meanwhile may not know of it
  }

  #continue(reply) {
    this.#follow(reopened(reply), {
      ...continued(reply),
      onRefused: () => this.transcript.of(reply.id)?.update(reply),
    });
  }

  #edit(question, content) {
    this.#say(edited(question, { content, model: this.#page.chosenModel() }));
  }

  #regenerate(reply, model) {
    const { parent_id: question } = this.#tree.messages.find(({ id }) => id === reply.id);
    this.#start(regenerated(reply, question, model));
  }

  async #delete({ id }) {
    const following = withFollowers(this.#tree.messages, id).length - 1;
    try {
      if (!(await deleteMessage(id, following))) return;
      await this.refresh();
      this.#page.onDone(this);
    } catch (error) {
      this.#page.onTrouble(this, error);
    }
  }

  /** Bring what a person wrote to the server; it is kept until the server has it. */
  #say({ kept, ...start }) {
    this.#page.onSaid(this, kept);
    this.#start(start, {
      prepare: (signal) => this.#create(start.body.model, signal),
      onRefused: () => this.#notSaid(kept),
    });
  }

  #notSaid(kept) {
    this.#page.onOver(this, kept.body.reply_id);
    this.#page.onNotSent(this, kept);
  }

  /** Show what is about to be, and bring it to the server; what it refuses is taken back. */
  #start({ added, ...start }, { prepare, onRefused = () => {} } = {}) {
    const takeBack = this.#tree.add(...added);
    this.#follow(replyFrom(added.at(-1)), {
      ...start,
      prepare,
      onRefused: () => {
        takeBack();
        this.#show();
        onRefused();
      },
    });
  }

  #show() {
    this.transcript.show(this.#tree, this.reply);
  }

  async #change(changes) {
    const path = `/api/conversations/${this.id}`;
    await again(() => ask(path, { method: "PATCH", body: changes }), { attempts: 3 });
  }

  async #create(model, signal) {
    if (!this.isNew) return;
    const body = { id: this.id, model, ...this.settings };
    await ask("/api/conversations", { method: "POST", body, signal });
    this.isNew = false;
    this.model = model;
  }

  #follow(reply, start = null) {
    this.#follows += 1;
    this.#wantsStop = false;
    this.#follower = follow({
      reply,
      start,
      load: (signal) => readMessage(this.id, reply.id, signal),
      fetch: request,
      transport: this.#page.transport(),
      isOnline: () => navigator.onLine,
      heartbeatSeconds: this.#page.heartbeatSeconds(),
      onReply: (state) => {
        const bubble = this.transcript.of(reply.id);
        const isNews = bubble?.reply.phase !== state.phase || state.status !== "running";
        bubble?.update(state);
        if (isNews) this.#page.onChange(this); // more text alone changes nothing around it
      },
      onConnection: (connection) => this.#connected(connection, reply.id),
      onEnd: (end) => this.#ended(end, start),
    });
    this.#show();
    this.transcript.of(reply.id)?.update(reply);
    this.#page.onChange(this);
    if (start) this.#page.onStarted(this);
  }

  #connected(connection, replyId) {
    const taken = connection.accepted && !this.#connection.accepted;
    this.#connection = connection;
    this.transcript.of(replyId)?.setConnection(connection);
    this.#page.onChange(this);
    if (!taken) return;
    this.#page.onOver(this, replyId);
    this.#page.onAccepted(this);
    // The follower is still being told; it may be closed with the next turn.
    if (this.#wantsStop) queueMicrotask(() => this.stop());
    if (this.#leaving) queueMicrotask(() => this.leave());
  }

  #ended({ outcome, reply, error }, start) {
    const { accepted } = this.#follower; // what the server has is never taken back
    this.#follower = null;
    this.#connection = { state: "closed", accepted: true };
    this.#tree.note(reply);
    if (outcome === "settled") this.#page.onSettled(this, reply);
    else if (outcome !== "gone") {
      if (!accepted) start.onRefused();
      this.#page.onTrouble(this, new Refused(error.status, error));
    }
    this.#page.onChange(this);
    if (outcome === "refused" && accepted) {
      this.transcript.of(reply.id)?.setConnection({ state: "lost", accepted: true });
    } else if (!this.#leaving) this.#refreshAfterEnd();
  }

  async #refreshAfterEnd() {
    try {
      await this.refresh();
    } catch (error) {
      if (error.status === 404) this.#page.onGone(this);
      else this.#page.onTrouble(this, error);
    }
  }
}
