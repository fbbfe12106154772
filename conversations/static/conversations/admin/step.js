// Makes an element's children like those of another, and leaves alone what is the same: a button
// that has the focus keeps it, a text that is being marked stays marked.

/**
 * @param {Element} shown
 * @param {Element} read
 */
export function keepStep(shown, read) {
  if (read.querySelector("tr[id]") || shown.querySelector("tr[id]")) keepRows(shown, read);
  else if (shown.textContent !== read.textContent) shown.textContent = read.textContent;
}

function keepRows(shown, read) {
  const wanted = [...read.children];
  const ids = new Set(wanted.map((row) => row.id));
  for (const row of [...shown.children]) if (!ids.has(row.id)) row.remove();
  wanted.forEach((row, index) => {
    const there = document.getElementById(row.id);
    if (!there) return shown.insertBefore(document.importNode(row, true), shown.children[index]);
    keepCells(there, row);
  });
}

function keepCells(shown, read) {
  [...read.cells].forEach((cell, index) => {
    const there = shown.cells[index];
    if (sameBut(there, cell)) return;
    there.replaceChildren(...document.importNode(cell, true).childNodes);
  });
}

/** Whether two cells show the same; the token of a form differs each time and means nothing. */
function sameBut(one, other) {
  return one.textContent === other.textContent && one.children.length === other.children.length;
}
