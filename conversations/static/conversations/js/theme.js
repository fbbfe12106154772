// Light, dark, or as the system is: kept in a cookie, so that the server draws the next page in it.

const COOKIE = "holdfast_theme";
const YEAR_SECONDS = 31_536_000;
const THEMES = ["light", "dark"];

/** What a person chose: `light`, `dark`, or `system`. */
export function themeOf(cookies) {
  const found = cookies.split("; ").find((one) => one.startsWith(`${COOKIE}=`));
  const theme = found?.slice(COOKIE.length + 1);
  return THEMES.includes(theme) ? theme : "system";
}

/** The cookie that keeps a choice for every page below `path`. */
export function cookieOf(theme, { path, secure }) {
  const kept = THEMES.includes(theme);
  const parts = [`${COOKIE}=${kept ? theme : ""}`, `path=${path}`, "samesite=lax"];
  parts.push(`max-age=${kept ? YEAR_SECONDS : 0}`);
  if (secure) parts.push("secure");
  return parts.join("; ");
}

/** The theme of this browser. */
export const themeChoice = {
  get: () => themeOf(document.cookie),
  set(theme) {
    const { base } = document.body.dataset;
    document.cookie = cookieOf(theme, { path: base, secure: location.protocol === "https:" });
    apply(theme);
  },
};

// The bar of a phone's browser takes the colour of the page.
function apply(theme) {
  const root = document.documentElement;
  if (THEMES.includes(theme)) root.dataset.theme = theme;
  else delete root.dataset.theme;
  const [first, ...others] = document.querySelectorAll("meta[name=theme-color]");
  for (const other of others) other.remove();
  first?.removeAttribute("media");
  if (first) first.content = getComputedStyle(document.body).backgroundColor;
}
