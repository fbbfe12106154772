// How much room a text will take, before it is drawn.

const WIDTH = 85;
const GAP = 0.5;

/** About how many lines the Markdown of a block fills, with the room around it. */
export function linesOf(raw) {
  let lines = GAP;
  for (const line of raw.trimEnd().split("\n")) {
    if (line) lines += Math.ceil(line.length / WIDTH);
  }
  return lines;
}
