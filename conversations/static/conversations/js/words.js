// What the page says, in one place.

import { gettext, interpolate } from "./i18n.js";

// How a reply ended, and what a person can do about it: once it has text, and before.
const ENDINGS = {
  "completed/stop": ["", "", "retry"],
  "completed/length": [gettext("The reply reached its maximum length."), "continue", "retry"],
  "completed/content_filter": [
    gettext("The model's provider ended the reply: its filter did not let it pass."),
    "retry",
    "retry",
  ],
  "completed/tool_calls": [
    gettext("The model asked for a tool that is not available here."),
    "retry",
    "retry",
  ],
  "stopped/user": [gettext("Stopped."), "continue", "retry"],
  "stopped/deleted": [gettext("Deleted."), "", ""],
  "interrupted/client_disconnected": [
    gettext("Interrupted: nobody was reading any more."),
    "continue",
    "retry",
  ],
  "interrupted/shutdown": [
    gettext("Interrupted: the server was shut down."),
    "continue",
    "retry",
  ],
  "interrupted/worker_lost": [
    gettext("Interrupted: the server went down in mid-reply. What it said is kept."),
    "continue",
    "retry",
  ],
  "failed/upstream_unreachable": [
    gettext("The model could not be reached."),
    "continue",
    "retry",
  ],
  "failed/upstream_refused": [
    gettext("The model's provider refused the request."),
    "retry",
    "retry",
  ],
  "failed/upstream_rate_limited": [
    gettext("The model's provider is busy. Try again in a moment."),
    "continue",
    "retry",
  ],
  "failed/upstream_error": [
    gettext("The model's provider reported an error."),
    "continue",
    "retry",
  ],
  "failed/upstream_reset": [gettext("The connection to the model broke."), "continue", "retry"],
  "failed/upstream_incomplete": [gettext("The model's reply broke off."), "continue", "retry"],
  "failed/upstream_bad_data": [
    gettext("The model's provider sent something unreadable."),
    "continue",
    "retry",
  ],
  "failed/no_progress": [gettext("The model fell silent."), "continue", "retry"],
  "failed/deadline": [gettext("The reply took too long."), "continue", "retry"],
  "failed/storage_unavailable": [
    gettext("Storage was away for too long."),
    "continue",
    "retry",
  ],
  "failed/internal": [gettext("Something went wrong on the server."), "continue", "retry"],
};

// Where the reason is unknown to this page.
const STATUSES = {
  completed: ["", "", "retry"],
  stopped: [gettext("Stopped."), "continue", "retry"],
  interrupted: [gettext("Interrupted."), "continue", "retry"],
  failed: [gettext("The reply failed."), "continue", "retry"],
};

/** What the button of a remedy says. */
export const REMEDIES = {
  continue: gettext("Continue"),
  retry: gettext("Try again"),
  reconnect: gettext("Reconnect"),
};

/** How a reply ended; empty where nothing needs to be said. An unknown reason is its status. */
export function endingOf(reply) {
  return ending(reply)?.[0] ?? reply.status;
}

/** How a reply ended in a word or two, for a list of facts. */
export function outcomeOf(reply) {
  if (reply.status === "running") return gettext("In progress");
  return endingOf(reply) || gettext("Completed");
}

/** What a person can do about an end: `continue`, `retry`, or nothing. */
export function remedyOf(reply, hasText) {
  const [, behindText, withoutText] = ending(reply) ?? ["", "", ""];
  const remedy = hasText ? behindText : withoutText;
  // What would fail again in the same way is asked anew, maybe of another model.
  const hopeless = reply.status === "failed" && remedy === "continue" && !reply.retryable;
  return hopeless ? "retry" : remedy;
}

/** What is said of a reply that cannot be followed; empty while it can. */
export function lossOf(connection) {
  if (connection.state === "lost") return gettext("The connection to this reply was lost.");
  if (connection.state !== "reconnecting" && connection.state !== "offline") return "";
  if (!connection.accepted) return gettext("The message has not reached the server yet.");
  return gettext("The connection is lost. The reply goes on and is kept.");
}

/** What is going on with a reply, for the status line; empty where it simply streams. */
export function progressOf(connection, reply) {
  if (connection.state === "offline") {
    return gettext("You are offline. The reply goes on without you.");
  }
  if (connection.state === "reconnecting") {
    return connection.accepted
      ? gettext("Reconnecting…")
      : gettext("Not sent yet. Trying again…");
  }
  if (!connection.accepted) return gettext("Sending…");
  if (reply.status !== "running") return "";
  const phases = {
    waiting: gettext("Waiting for the model…"),
    recovering: gettext("Recovering…"),
  };
  return phases[reply.phase] ?? "";
}

/** What a screen reader hears when a reply ends. */
export function announcementOf(reply) {
  return endingOf(reply) || gettext("The reply is complete.");
}

/** What the page says about a request that failed. */
export function refusalOf(error) {
  if (!error || ["TypeError", "TimeoutError"].includes(error.name)) return gettext("The server cannot be reached.");
  if (error.status === 401) return gettext("You are signed out. Reload the page to go on.");
  // The client has no language of its own: what it says of an answer of somebody else's is said here.
  if (error.error?.code === "unknown") {
    return interpolate(gettext("The server answered %s."), [error.status]);
  }
  return error.message || gettext("Something went wrong.");
}

function ending({ status, reason }) {
  return ENDINGS[`${status}/${reason}`] ?? STATUSES[status];
}
