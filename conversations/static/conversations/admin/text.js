// The page of a run: its text so far, read again until the run has ended.

const PAUSE_MS = 700;
const place = document.getElementById("run-text");
const note = document.getElementById("run-note");

/** Add what is new to what is shown; what is shown stays, so that a marked text stays marked. */
function draw(parts) {
  parts.forEach(([kind, text], index) => {
    const there = place.children[index] ?? place.appendChild(document.createElement("div"));
    there.className = `message-text run-${kind}`;
    const shown = there.textContent;
    if (text === shown) return;
    if (text.startsWith(shown)) there.append(text.slice(shown.length));
    else there.textContent = text;
  });
}

async function goOn() {
  let isOver = false;
  try {
    if (!document.hidden) {
      const answer = await fetch(place.dataset.address);
      isOver = answer.status === 403 || answer.status === 404;
      if (answer.ok) {
        const { parts, running } = await answer.json();
        draw(parts);
        isOver = !running;
      }
    }
  } catch {
    // The server is away for a moment; the next look tells.
  }
  if (isOver) note.textContent = place.dataset.ended;
  else setTimeout(goOn, PAUSE_MS);
}

if (place && !note.textContent) goOn();
