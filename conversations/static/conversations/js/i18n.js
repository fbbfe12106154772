// The page's words in the reader's language. The catalog comes with the page, as data.
//
// Names and arguments as gettext knows them, so that makemessages finds the texts:
// gettext("Stop"), ngettext("%s token", "%s tokens", n), interpolate(text, values).

const data = globalThis.document?.getElementById("catalog")?.textContent;
const { language = "en", catalog = {}, plural = "n != 1" } = data ? JSON.parse(data) : {};

/** The language of the page, as BCP 47 names it. */
export const LANGUAGE = language;

/** A text in the language of the page; itself where it has no translation. */
export function gettext(text) {
  const found = catalog[text];
  return (Array.isArray(found) ? found[0] : found) || text;
}

/** One of two texts by a number. */
export function ngettext(singular, plural, number) {
  const found = catalog[singular];
  if (!Array.isArray(found)) return number === 1 ? singular : plural;
  return found[Math.min(pluralIndex(number), found.length - 1)] || plural;
}

/** A text with its `%s`, one after another, or its `%(name)s` replaced by values. */
export function interpolate(text, values) {
  if (!Array.isArray(values)) {
    return text.replace(/%\((\w+)\)s/g, (_, name) => String(values[name]));
  }
  const left = [...values];
  return text.replace(/%s/g, () => String(left.shift()));
}

// Our languages have two forms, or one: no policy of ours would let a formula be evaluated.
function pluralIndex(number) {
  return plural === "0" ? 0 : Number(number !== 1);
}
