// What few visits need: loaded when it is asked for, to keep the first load small.

/** See importing.js. */
export async function openImport(...given) {
  return (await import("./importing.js")).openImport(...given);
}

/** See leaving.js. */
export async function leaveForGood(...given) {
  return (await import("./leaving.js")).leaveForGood(...given);
}

/** See remark.js. */
export async function askRemark(...given) {
  return (await import("./remark.js")).askRemark(...given);
}

/** See settings.js. */
export async function openSettings(...given) {
  return (await import("./settings.js")).openSettings(...given);
}

/** See share.js. */
export async function openShare(...given) {
  return (await import("./share.js")).openShare(...given);
}

/** See shortcuts.js. */
export async function showShortcuts(...given) {
  return (await import("./shortcuts.js")).showShortcuts(...given);
}

/** See prompts.js. */
export async function openPrompts(...given) {
  return (await import("./prompts.js")).openPrompts(...given);
}

/** See prompts.js. */
export async function readPrompts(...given) {
  return (await import("./prompts.js")).readPrompts(...given);
}
