// Which prompts a message field asks for that begins with a slash.

const LONGEST = 60;
const MOST_SHOWN = 50;

/** What is looked for: the text behind the slash; null where the field asks for nothing. */
export function soughtIn(text) {
  if (!text.startsWith("/") || text.length > LONGEST || /[\n]/.test(text)) return null;
  return text.slice(1).trim();
}

/**
 * The prompts that fit, those whose name begins so before the others.
 * @param {{name: string, content: string}[]} prompts
 * @param {string} sought
 */
export function fitting(prompts, sought) {
  const wanted = sought.toLocaleLowerCase();
  const rank = ({ name }) => {
    const at = name.toLocaleLowerCase().indexOf(wanted);
    return at < 0 ? 2 : Math.min(at, 1);
  };
  const ranked = prompts.map((prompt) => [rank(prompt), prompt]).filter(([one]) => one < 2);
  return ranked.sort(([a], [b]) => a - b).map(([, prompt]) => prompt).slice(0, MOST_SHOWN);
}
