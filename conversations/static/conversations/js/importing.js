// The dialog that takes over conversations from a file.

/** Open the dialog. */
export function openImport() {}
