// Modules that are loaded when they are asked for.

let addresses = 0;

/** Load a module of ours. Browsers keep a failure for good, but not for another address. */
export async function load(name) {
  try {
    return await import(name);
  } catch {
    return import(`${import.meta.resolve(name)}?${++addresses}`);
  }
}
