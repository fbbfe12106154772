// Copy the browser code that pages load from node_modules into vendor/, with licences and a
// manifest of SHA-384 digests. Run by `npm run vendor`; versions are pinned in package.json.

import { createHash } from "node:crypto";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";

import { VENDORED } from "../conversations/static/conversations/js/languages.js";

const ROOT = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const TARGET = path.join(ROOT, "conversations/static/conversations/vendor");

const PACKAGES = [
  {
    name: "marked",
    files: { "lib/marked.esm.js": "marked.js", LICENSE: "marked.LICENSE.txt" },
  },
  {
    name: "dompurify",
    files: {
      "dist/purify.min.js": "purify.js",
      LICENSE: "dompurify.LICENSE.txt",
      "LICENSE-MPL": "dompurify.LICENSE-MPL.txt",
    },
  },
  {
    name: "@highlightjs/cdn-assets",
    files: {
      "es/core.min.js": "highlight.js",
      ...Object.fromEntries(VENDORED.map((name) => [grammar(name), `highlight-${name}.js`])),
      LICENSE: "highlight.LICENSE.txt",
    },
  },
  {
    name: "katex",
    files: { "dist/katex.min.js": "katex.js", LICENSE: "katex.LICENSE.txt" },
  },
];

await rm(TARGET, { recursive: true, force: true });
await mkdir(TARGET, { recursive: true });
const packages = [];
for (const { name, files } of PACKAGES) {
  const source = path.join(ROOT, "node_modules", name);
  const about = JSON.parse(await readFile(path.join(source, "package.json"), "utf8"));
  const copied = [];
  for (const [from, to] of Object.entries(files)) {
    const text = withoutSourceMap(await readFile(path.join(source, from), "utf8"));
    await writeFile(path.join(TARGET, to), text);
    const sha384 = createHash("sha384").update(text).digest("base64");
    copied.push({ file: to, from, sha384: `sha384-${sha384}` });
  }
  packages.push({ name, version: about.version, license: about.license, files: copied });
}
await writeFile(path.join(TARGET, "manifest.json"), JSON.stringify({ packages }, null, 2) + "\n");

function grammar(name) {
  return `es/languages/${name}.min.js`;
}

// Source maps are not copied, and hashing static files fails on a link that leads nowhere.
function withoutSourceMap(text) {
  return text.replace(/^\/\/# sourceMappingURL=.*\n?/m, "");
}
