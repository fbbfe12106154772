// A conversation is a tree of messages; the page shows one branch of it. Values only, no DOM.

import { asMessage } from "./reply.js";

/** The messages of one conversation, as far as this page knows them, and the head it shows. */
export class Tree {
  #unconfirmed = new Set();
  #messages = [];

  /** The last message of the branch that is shown; null for the newest one. */
  head = null;

  get messages() {
    return this.#messages;
  }

  /** The branch that is shown, from the first message to the head. */
  get branch() {
    return branchTo(this.#messages, this.head);
  }

  /**
   * Take what the server stores. What was added here and is not stored yet stays.
   * @param {object[]} stored every message, in the order of their creation
   */
  take(stored, head) {
    const known = new Set(stored.map(({ id }) => id));
    for (const id of known) this.#unconfirmed.delete(id);
    const waiting = this.#messages.filter(({ id }) => this.#unconfirmed.has(id));
    this.#messages = [...stored, ...waiting];
    this.head = head;
  }

  /**
   * Add messages that the server is only being told of, and show them.
   * @returns {() => void} takes them back
   */
  add(...messages) {
    const before = this.head;
    const ids = messages.map(({ id }) => id);
    this.#messages = [...this.#messages, ...messages];
    for (const id of ids) this.#unconfirmed.add(id);
    this.head = ids.at(-1);
    return () => {
      for (const id of ids) this.#unconfirmed.delete(id);
      this.#messages = this.#messages.filter(({ id }) => !ids.includes(id));
      if (ids.includes(this.head)) this.head = before;
    };
  }

  /** Note how far a reply is: another branch may be shown meanwhile. */
  note(reply) {
    this.mark(reply.id, asMessage(reply));
  }

  /** Note what is different in a message. */
  mark(id, changes) {
    this.#messages = this.#messages.map((message) =>
      message.id === id ? { ...message, ...changes } : message,
    );
  }

  /** Show the branch of this message, as far as it was last gone on. */
  choose(id) {
    this.head = newestLeaf(this.#messages, id);
  }
}

/**
 * The messages from the first one to `head`.
 * @param {{id: string, parent_id: string | null}[]} messages in the order of their creation
 * @param {string | null} head the newest message where it is unknown
 */
export function branchTo(messages, head) {
  const byId = new Map(messages.map((message) => [message.id, message]));
  const branch = [];
  let at = byId.get(head) ?? messages.at(-1);
  while (at && branch.length <= messages.length) {
    branch.unshift(at);
    at = byId.get(at.parent_id);
  }
  return branch;
}

/**
 * The versions of each message: those that follow the same message, in the order of their creation.
 * @returns {Map<string, string[]>} by id
 */
export function versionsOf(messages) {
  const versions = new Map();
  for (const ids of childrenOf(messages).values()) for (const id of ids) versions.set(id, ids);
  return versions;
}

/** The message that was made last in the branches that go on from `id`; itself where none does. */
export function newestLeaf(messages, id) {
  const below = new Set(withFollowers(messages, id));
  return messages.filter((message) => below.has(message.id)).at(-1)?.id ?? id;
}

/** A message with everything that follows it, in any branch. */
export function withFollowers(messages, id) {
  const children = childrenOf(messages);
  const found = new Set([id]);
  // A set that grows while it is read is read to its new end.
  for (const one of found) for (const child of children.get(one) ?? []) found.add(child);
  return [...found];
}

function childrenOf(messages) {
  const children = new Map();
  for (const { id, parent_id: parent } of messages) {
    if (!children.has(parent)) children.set(parent, []);
    children.get(parent).push(id);
  }
  return children;
}
