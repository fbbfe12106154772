// A conversation is a tree of messages; the page shows one branch of it.

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
