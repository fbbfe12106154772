// Starts: what each brings to the server, and what is shown until it answers. Values only, no DOM.

import { attachmentsOf, partsOf } from "./files.js";
import { newId } from "./ids.js";

/**
 * @typedef {object} Start
 * @property {object[]} added messages to be shown at once, in the words of the wire; the reply last
 * @property {string} path
 * @property {object} body repeatable: it carries the ids that were chosen here
 */

/**
 * A question.
 * @param {string} conversationId
 * @param {{parent: string | null, content: string, attachments: object[], model: string}} said
 * @returns {Start}
 */
export function sent(conversationId, { parent, ...said }) {
  const place = parent ? { parent_id: parent } : {};
  return asked(`/api/conversations/${conversationId}/messages`, parent, said, place);
}

/**
 * Another version of a question, with the files of the first one.
 * @returns {Start}
 */
export function edited(question, { content, model }) {
  const said = { content, model, attachments: attachmentsOf(question) };
  return asked(`/api/messages/${question.id}/edit`, question.parent_id, said);
}

/**
 * Another reply to the question of this one.
 * @param {{id: string}} reply
 * @param {string} questionId
 * @returns {Start}
 */
export function regenerated(reply, questionId, model) {
  const id = newId();
  return {
    added: [pending(id, questionId, model)],
    path: `/api/messages/${reply.id}/regenerate`,
    body: { reply_id: id, model },
  };
}

/** The rest of a reply; it is shown already. */
export function continued(reply) {
  return { path: `/api/messages/${reply.id}/continue`, body: { after: reply.cursor } };
}

function asked(path, parent, { content, model, attachments }, place = {}) {
  const [id, replyId] = [newId(), newId()];
  const parts = partsOf(content, attachments);
  const question = { id, parent_id: parent, role: "user", parts, content, status: "completed" };
  const files = attachments.length ? { attachments: attachments.map((one) => one.id) } : {};
  return {
    added: [question, pending(replyId, id, model)],
    path,
    body: { id, reply_id: replyId, content, model, ...files, ...place },
  };
}

function pending(id, questionId, model) {
  return { id, parent_id: questionId, role: "assistant", parts: [], status: "running", model };
}
