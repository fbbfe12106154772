// What the page says, in one place.

const ENDINGS = {
  "completed/stop": "",
  "completed/length": "The reply reached its maximum length.",
  "completed/content_filter": "The model's provider ended the reply.",
  "completed/tool_calls": "The model asked for a tool that is not available here.",
  "stopped/user": "Stopped.",
  "stopped/deleted": "Deleted.",
  "interrupted/client_disconnected": "Interrupted: nobody was reading any more.",
  "interrupted/shutdown": "Interrupted: the server was shut down.",
  "interrupted/worker_lost": "Interrupted: the server went down in mid-reply. What it said is kept.",
  "failed/upstream_unreachable": "The model could not be reached.",
  "failed/upstream_refused": "The model's provider refused the request.",
  "failed/upstream_rate_limited": "The model's provider is busy. Try again in a moment.",
  "failed/upstream_error": "The model's provider reported an error.",
  "failed/upstream_reset": "The connection to the model broke.",
  "failed/upstream_incomplete": "The model's reply broke off.",
  "failed/upstream_bad_data": "The model's provider sent something unreadable.",
  "failed/no_progress": "The model fell silent.",
  "failed/deadline": "The reply took too long.",
  "failed/storage_unavailable": "Storage was away for too long.",
  "failed/internal": "Something went wrong on the server.",
};

const STATUSES = {
  completed: "",
  stopped: "Stopped.",
  interrupted: "Interrupted.",
  failed: "The reply failed.",
};

/** How a reply ended; empty where nothing needs to be said. An unknown reason is its status. */
export function endingOf({ status, reason }) {
  return ENDINGS[`${status}/${reason}`] ?? STATUSES[status] ?? status;
}

/** What a reply took; empty where nothing is known. */
export function figuresOf({ usage, durationMs }) {
  const figures = [];
  if (usage) figures.push(`${usage.output_tokens} tokens`);
  if (durationMs !== null) figures.push(`${(durationMs / 1000).toFixed(1)} s`);
  return figures.join(" · ");
}

/** What a person can do about it: `continue`, `retry`, or nothing. */
export function remedyOf({ status, reason, retryable }, hasText) {
  const cut = status === "stopped" || status === "interrupted" || reason === "length";
  if (cut && reason !== "deleted") return hasText ? "continue" : "retry";
  if (status === "failed") return hasText && retryable ? "continue" : "retry";
  return "";
}

/** What is going on with a reply, for the status line; empty where it simply streams. */
export function progressOf(connection, reply) {
  if (connection.state === "offline") return "You are offline. The reply goes on without you.";
  if (connection.state === "reconnecting") {
    return connection.accepted ? "Reconnecting…" : "Not sent yet. Trying again…";
  }
  if (!connection.accepted) return "Sending…";
  if (reply.status !== "running") return "";
  return { waiting: "Waiting for the model…", recovering: "Recovering…" }[reply.phase] ?? "";
}

/** What a screen reader hears when a reply ends. */
export function announcementOf(reply) {
  return endingOf(reply) || "The reply is complete.";
}

/** What the page says about a request that failed. */
export function refusalOf(error) {
  if (!error || error.name === "TypeError") return "The server cannot be reached.";
  if (error.status === 401) return "You are signed out. Reload the page to go on.";
  return error.message || "Something went wrong.";
}
