// Deletes what matches step by step, and shows how far it is; without it, each step is a page.

const form = document.getElementById("delete-all");
const bar = document.getElementById("delete-progress");
const note = document.getElementById("delete-note");
const halt = document.getElementById("delete-halt");
let isHalted = false;

async function step() {
  const answer = await fetch(location.href, {
    method: "POST",
    body: new FormData(form),
    headers: { Accept: "application/json" },
  });
  if (!answer.ok) throw new Error(String(answer.status));
  return answer.json();
}

async function deleteAll() {
  let done = 0;
  const { left: atFirst, capped, said, over, stopped, away } = form.dataset;
  bar.hidden = halt.hidden = false;
  if (capped) bar.removeAttribute("value");
  try {
    for (let left = Number(atFirst); left > 0 && !isHalted; ) {
      const told = await step();
      if (!told.deleted) break;
      done += told.deleted;
      left = told.left;
      if (!capped) bar.value = done;
      note.textContent = said.replace("#", done.toLocaleString(document.documentElement.lang));
    }
    note.textContent += ` ${isHalted ? stopped : over}`;
  } catch {
    note.textContent = away;
    form.querySelector("[type=submit]").disabled = false;
  }
  bar.hidden = halt.hidden = true;
}

form?.addEventListener("submit", (event) => {
  event.preventDefault();
  isHalted = false;
  form.querySelector("[type=submit]").disabled = true;
  deleteAll();
});
halt?.addEventListener("click", () => (isHalted = true));
