// Files of ours that the browser saves.

import { make } from "./dom.js";
import { address } from "./places.js";

/** Save what lies at a path of ours, under the name that the server gives it. */
export function saveAs(path) {
  const link = make("a", { href: address(path), download: "", hidden: true });
  document.body.append(link);
  link.click();
  link.remove();
}
