// Starts: what each brings to the server, and what is shown until it answers. Values only, no DOM.

import { attachmentsOf, partsOf } from "./files.js";
import { newId } from "./ids.js";

/**
 * @typedef {object} Start
 * @property {object[]} added messages to be shown at once, in the words of the wire; the reply last
 * @property {string} path
 * @property {object} body repeatable: it carries the ids that were chosen here
 * @property {Said} [kept] of a question: all that is needed to make the same start again
 *
 * @typedef {object} Said
 * @property {string} path
 * @property {object} body
 * @property {string | null} parent
 * @property {object[]} attachments
 * @property {string | null} of the question of which it is another version
 */

/**
 * A question.
 * @param {string} conversationId
 * @param {{parent: string | null, content: string, attachments: object[], model: string}} said
 * @returns {Start}
 */
export function sent(conversationId, { parent, ...question }) {
  const place = parent ? { parent_id: parent } : {};
  return asked(`/api/conversations/${conversationId}/messages`, parent, question, place);
}

/**
 * Another version of a question, with the files of the first one.
 * @returns {Start}
 */
export function edited(question, { content, model }) {
  const version = { content, model, attachments: attachmentsOf(question) };
  return asked(`/api/messages/${question.id}/edit`, question.parent_id, version, {}, question.id);
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

function asked(path, parent, { content, model, attachments }, place = {}, of = null) {
  const files = attachments.length ? { attachments: attachments.map((one) => one.id) } : {};
  const body = { id: newId(), reply_id: newId(), content, model, ...files, ...place };
  return said({ path, body, parent, attachments, of });
}

/**
 * The start of what a person said, out of what is kept of it until the server has it.
 * @param {Said} kept
 * @returns {Start}
 */
export function said(kept) {
  const { path, body, parent, attachments } = kept;
  const { id, reply_id: replyId, content, model } = body;
  const parts = partsOf(content, attachments);
  const question = { id, parent_id: parent, role: "user", parts, content, status: "completed" };
  return { added: [question, pending(replyId, id, model)], path, body, kept };
}

function pending(id, questionId, model) {
  return { id, parent_id: questionId, role: "assistant", parts: [], status: "running", model };
}
