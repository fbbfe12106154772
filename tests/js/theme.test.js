import assert from "node:assert/strict";
import { test } from "node:test";

import { cookieOf, themeOf } from "../../conversations/static/conversations/js/theme.js";

test("a theme is read from its cookie, and anything else is the system's", () => {
  assert.equal(themeOf("a=b; holdfast_theme=dark; c=d"), "dark");
  assert.equal(themeOf("holdfast_theme=light"), "light");
  for (const cookies of ["", "holdfast_theme=", "holdfast_theme=pink", "xholdfast_theme=dark"]) {
    assert.equal(themeOf(cookies), "system");
  }
});

test("a choice is kept for a year below the page's own path, and the system's is not kept", () => {
  const kept = cookieOf("dark", { path: "/assistant/", secure: true });
  assert.match(kept, /^holdfast_theme=dark; path=\/assistant\/; samesite=lax; max-age=31536000; secure$/);
  assert.match(cookieOf("system", { path: "/", secure: false }), /max-age=0$/);
});
