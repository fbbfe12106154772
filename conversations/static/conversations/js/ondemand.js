// What few visits need: loaded when it is asked for, to keep the first load small.

import { byId } from "./dom.js";

/** Have a stylesheet that the page names, but has switched off: browsers load it once it is on. */
function styled(name) {
  const link = byId(`${name}-style`);
  if (!link?.disabled) return null;
  return new Promise((resolve) => {
    link.onload = link.onerror = resolve;
    link.disabled = false;
  });
}

/** See deleting.js. */
export async function deleteMessage(...given) {
  return (await import("./deleting.js")).deleteMessage(...given);
}

/** See exporting.js. */
export async function exportAs(...given) {
  return (await import("./exporting.js")).exportAs(...given);
}

/** See importing.js. */
export async function openImport(...given) {
  await styled("share");
  return (await import("./importing.js")).openImport(...given);
}

/** See banners.js. */
export async function showBanners(...given) {
  styled("banners"); // and not awaited: the later list must come later
  return (await import("./banners.js")).showBanners(...given);
}

/** See leaving.js. */
export async function leaveForGood(...given) {
  return (await import("./leaving.js")).leaveForGood(...given);
}

/** See remark.js. */
export async function askRemark(...given) {
  return (await import("./remark.js")).askRemark(...given);
}

/** See reveal.js. */
export async function reveal(...given) {
  return (await import("./reveal.js")).reveal(...given);
}

/** See upload.js. */
export async function upload(...given) {
  return (await import("./upload.js")).upload(...given);
}

/** See settings.js. */
export async function openSettings(...given) {
  return (await import("./settings.js")).openSettings(...given);
}

/** See share.js. */
export async function openShare(...given) {
  await styled("share");
  return (await import("./share.js")).openShare(...given);
}

/** See details.js. */
export async function showDetails(...given) {
  return (await import("./details.js")).showDetails(...given);
}

/** See preferences.js. */
export async function showPreferences(...given) {
  return (await import("./preferences.js")).showPreferences(...given);
}

/** See shortcuts.js. */
export async function showShortcuts(...given) {
  return (await import("./shortcuts.js")).showShortcuts(...given);
}

/** See prompts.js. */
export async function openPrompts(...given) {
  await styled("prompts");
  return (await import("./prompts.js")).openPrompts(...given);
}

/** See prompts.js. */
export async function readPrompts(...given) {
  return (await import("./prompts.js")).readPrompts(...given);
}

/** See promptlist.js: it is there from the first slash on. */
export function offerPrompts(composer) {
  const field = byId("message");
  field.addEventListener("input", async function begin() {
    if (!field.value.startsWith("/")) return;
    field.removeEventListener("input", begin);
    try {
      await styled("prompts");
      const { PromptList } = await import("./promptlist.js");
      new PromptList(composer).look();
    } catch {
      field.addEventListener("input", begin); // without a network; the next slash tries again
    }
  });
}
