// Deleting a message, once the person has said that they mean it.

import { again } from "./again.js";
import { ask } from "./api.js";
import { askPerson } from "./dialog.js";
import { gettext, interpolate, ngettext } from "./i18n.js";

/**
 * Ask, and delete.
 * @param {string} id of a message
 * @param {number} following how many messages go with it
 * @returns {Promise<boolean>} whether it is gone
 */
export async function deleteMessage(id, following) {
  const more = ngettext(
    "%s message that follows it is deleted, too.",
    "%s messages that follow it are deleted, too.",
    following,
  );
  const answer = await askPerson({
    title: gettext("Delete this message?"),
    text: following ? interpolate(more, [following]) : "",
    confirm: gettext("Delete"),
    danger: true,
  });
  if (answer === null) return false;
  try {
    await again(() => ask(`/api/messages/${id}`, { method: "DELETE" }), { attempts: 3 });
  } catch (error) {
    // What is gone already, maybe by an attempt of ours that was not answered, is what we want.
    if (error.status !== 404) throw error;
  }
  return true;
}
