// Languages of code: what a fence may call them, what a reader calls them, what colours them.

const LANGUAGES = {
  bash: ["Shell", "sh shell zsh console shell-session shellsession terminal"],
  c: ["C", "h"],
  cpp: ["C++", "c++ cc cxx hpp h++"],
  csharp: ["C#", "c# cs"],
  css: ["CSS", ""],
  diff: ["Diff", "patch"],
  dockerfile: ["Dockerfile", "docker"],
  go: ["Go", "golang"],
  ini: ["INI", "toml conf cfg properties"],
  java: ["Java", ""],
  javascript: ["JavaScript", "js jsx mjs cjs node"],
  json: ["JSON", "json5 jsonc jsonl"],
  kotlin: ["Kotlin", "kt kts"],
  makefile: ["Makefile", "make mk"],
  markdown: ["Markdown", "md mdx"],
  php: ["PHP", ""],
  powershell: ["PowerShell", "ps ps1 pwsh"],
  python: ["Python", "py py3 python3 pyi ipython"],
  ruby: ["Ruby", "rb"],
  rust: ["Rust", "rs"],
  sql: ["SQL", "postgresql postgres mysql sqlite psql"],
  swift: ["Swift", ""],
  typescript: ["TypeScript", "ts tsx mts cts"],
  xml: ["XML", "html xhtml svg rss vue svelte htm"],
  yaml: ["YAML", "yml"],
};
// Known by a name of their own.
const TITLES = { html: "HTML", htm: "HTML", svg: "SVG", toml: "TOML", vue: "Vue", svelte: "Svelte" };
const PLAIN = new Set(["text", "txt", "plain", "plaintext", "none", "output"]);
/** What a grammar needs for the languages inside it. */
const INSIDE = { xml: ["css", "javascript"], markdown: ["xml"], php: ["xml"], dockerfile: ["bash"] };

const GRAMMARS = new Map();
for (const [grammar, [, names]] of Object.entries(LANGUAGES)) {
  for (const name of [grammar, ...names.split(" ")]) GRAMMARS.set(name, grammar);
}

/**
 * Find a language by the word behind a fence.
 * @param {string} word
 * @returns {{title: string, grammars: string[]}} `title` for readers, empty for plain text;
 *   `grammars` that colour it, its own first, none where we have none
 */
export function languageOf(word) {
  const name = word.toLowerCase();
  if (!name || PLAIN.has(name)) return { title: "", grammars: [] };
  const grammar = GRAMMARS.get(name);
  if (!grammar) return { title: word, grammars: [] };
  const title = TITLES[name] ?? LANGUAGES[grammar][0];
  return { title, grammars: [grammar, ...(INSIDE[grammar] ?? [])] };
}

/** The grammars that are vendored. */
export const VENDORED = Object.keys(LANGUAGES);
