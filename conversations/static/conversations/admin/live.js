// The page of live runs: reads its tables again every second and brings what is shown in step.

import { keepStep } from "./step.js";

const PAUSE_MS = 1000;
const PAUSE_AWAY_MS = 4000;
const page = document.getElementById("content-main");
const note = document.getElementById("live-note");

/** Read the tables as they are now. */
async function readAgain() {
  const answer = await fetch(page.dataset.live, { headers: { Accept: "text/html" } });
  // Signed out, or not allowed any more: the page itself says so.
  if (answer.redirected || answer.status === 403) return location.reload();
  if (!answer.ok) throw new Error(String(answer.status));
  const read = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const id of ["live-runs", "live-workers", "live-count"]) {
    keepStep(document.getElementById(id), read.getElementById(id));
  }
}

function say(text) {
  if (note.textContent !== text) note.textContent = text;
}

async function goOn() {
  let pause = PAUSE_MS;
  try {
    if (!document.hidden) await readAgain();
    say("");
  } catch {
    say(page.dataset.away);
    pause = PAUSE_AWAY_MS;
  }
  setTimeout(goOn, pause);
}

page.addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target;
  form.querySelector("button").disabled = true;
  try {
    await fetch(form.action, {
      method: "POST",
      body: new FormData(form),
      headers: { Accept: "application/json" },
    });
    await readAgain();
  } catch {
    say(page.dataset.away);
    form.querySelector("button").disabled = false;
  }
});

setTimeout(goOn, PAUSE_MS);
