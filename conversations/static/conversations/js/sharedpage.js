// The page of a share: its replies come as plain text, and are shown as Markdown here.

import { byId } from "./dom.js";
import { MarkdownView } from "./markdown.js";

for (const element of document.querySelectorAll("[data-markdown]")) {
  const text = element.textContent;
  element.replaceChildren();
  element.classList.remove("plain");
  new MarkdownView(element).show(text, { whole: true });
}

const button = byId("print");
button.hidden = false;
button.addEventListener("click", () => print());
