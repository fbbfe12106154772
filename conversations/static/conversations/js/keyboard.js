// Keeps the message field above a keyboard on the screen where the browser lays it over the page.

/** How high the page may be; empty where nothing covers it. Pinching is not a keyboard. */
export function heightAbove(viewport, innerHeight) {
  if (!viewport || viewport.scale > 1.01) return "";
  return innerHeight - viewport.height > 1 ? `${Math.round(viewport.height)}px` : "";
}

/** Follow the keyboard. Where the page shrinks by itself (see the viewport's meta) nothing is done. */
export function stayAboveKeyboard() {
  const viewport = globalThis.visualViewport;
  viewport?.addEventListener("resize", () => {
    const height = heightAbove(viewport, innerHeight);
    document.body.style.setProperty("block-size", height);
    if (height) scrollTo(0, 0);
  });
}
