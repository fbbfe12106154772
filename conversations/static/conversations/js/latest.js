// Keeping a choice on the server: one request at a time, and the last choice stands.

/**
 * Make a keeper of a choice.
 * @template T
 * @param {(choice: T) => Promise<void>} save
 * @returns {{keep: (choice: T) => Promise<void>, wanted: T | undefined}} `wanted` is what is still
 *   on its way; `keep` settles with the request that kept this choice or a later one
 */
export function latestWins(save) {
  let saving = null;
  const keeper = {
    wanted: undefined,
    keep(choice) {
      keeper.wanted = choice;
      saving ??= run().finally(() => (saving = null));
      return saving;
    },
  };
  async function run() {
    try {
      for (;;) {
        const choice = keeper.wanted;
        await save(choice);
        if (keeper.wanted === choice) return;
      }
    } finally {
      keeper.wanted = undefined;
    }
  }
  return keeper;
}
