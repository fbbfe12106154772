// What few visits need: loaded when it is asked for, to keep the first load small.

import { byId } from "./dom.js";
import { load } from "./load.js";
import { toast } from "./toast.js";
import { refusalOf } from "./words.js";

/** Have stylesheets that the page names, but has switched off: browsers load them once they are on. */
function styled(names) {
  const links = names.map((name) => byId(`${name}-style`)).filter(({ disabled }) => disabled);
  const loading = links.map((link) => new Promise((resolve) => {
    link.onload = link.onerror = resolve;
    link.disabled = false;
  }));
  return Promise.all(loading);
}

/** A function of a module, which is loaded when it is called, and with it what it looks like. */
function lazy(module, name, ...styles) {
  return async (...given) => {
    await styled(styles);
    return (await load(`./${module}.js`))[name](...given);
  };
}

/** One whose callers have no words for its failure. */
function outspoken(...named) {
  const run = lazy(...named);
  return (...given) => run(...given).catch((error) => void toast(refusalOf(error)));
}

export const deleteMessage = lazy("deleting", "deleteMessage");
export const readPrompts = lazy("prompts", "readPrompts");
export const upload = lazy("upload", "upload");

export const askRemark = outspoken("remark", "askRemark", "panel");
export const exportAs = outspoken("exporting", "exportAs", "panel");
export const leaveForGood = outspoken("leaving", "leaveForGood", "panel");
export const openImport = outspoken("importing", "openImport", "share");
export const openPrompts = outspoken("prompts", "openPrompts", "panel", "prompts");
export const openSettings = outspoken("settings", "openSettings", "panel");
export const openShare = outspoken("share", "openShare", "panel", "share");
export const reveal = outspoken("reveal", "reveal");
export const showDetails = outspoken("details", "showDetails", "details");
export const showPreferences = outspoken("preferences", "showPreferences", "panel");
export const showShortcuts = outspoken("shortcuts", "showShortcuts", "panel");

/** See banners.js. */
export async function showBanners(...given) {
  styled(["banners"]); // and not awaited: the later list must come later
  return (await load("./banners.js")).showBanners(...given);
}

/** See promptlist.js: it is there from the first slash on. */
export function offerPrompts(composer) {
  const field = byId("message");
  field.addEventListener("input", async function begin() {
    if (!field.value.startsWith("/")) return;
    field.removeEventListener("input", begin);
    try {
      await styled(["prompts"]);
      const { PromptList } = await load("./promptlist.js");
      new PromptList(composer).look();
    } catch {
      field.addEventListener("input", begin); // without a network; the next slash tries again
    }
  });
}
