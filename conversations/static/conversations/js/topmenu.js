// The "⋯" menu of the open conversation.

import { saveAs } from "./downloads.js";
import { byId, ICONS } from "./dom.js";
import { gettext } from "./i18n.js";
import { exportAs, openImport, openShare } from "./ondemand.js";
import { menuButton } from "./menu.js";

/**
 * Put the menu into the topbar.
 * @param {{conversation: () => {id: string, title: string} | null,
 *   onDelete: (id: string) => void, onImported: () => void, onSettings: () => void}} page
 *   `conversation`: the open one; null where there is none that the server knows
 */
export function placeTopMenu(page) {
  const items = () => entries(page, page.conversation());
  byId("top-menu").replaceWith(
    menuButton({
      label: gettext("More about this conversation"),
      path: ICONS.dots,
      className: "icon-button top-menu",
      items,
    }),
  );
}

function entries(page, conversation) {
  if (!conversation) {
    return [
      { label: gettext("Settings…"), run: () => page.onSettings() },
      { label: gettext("Import conversations…"), run: () => openImport(page) },
      { label: gettext("Export all conversations"), run: () => exportAs("/api/export?format=jsonl") },
    ];
  }
  const { id } = conversation;
  const exported = (format) => saveAs(`/api/conversations/${id}/export?format=${format}`);
  return [
    { label: gettext("Settings…"), run: () => page.onSettings() },
    { label: gettext("Share…"), run: () => openShare(conversation) },
    { label: gettext("Export as Markdown"), run: () => exported("md") },
    { label: gettext("Export as JSON"), run: () => exported("json") },
    { label: gettext("Export as CSV"), run: () => exported("csv") },
    { label: gettext("Print…"), run: () => printPage() },
    { label: gettext("Delete"), run: () => page.onDelete(id), danger: true },
  ];
}

// The menu is gone with the next frame; the dialog of printing holds the page up.
function printPage() {
  requestAnimationFrame(() => setTimeout(() => print()));
}
