// JSON that comes line by line. Pure.

/**
 * Read the values of a stream of bytes, as they come.
 * @param {AsyncIterable<Uint8Array> | ReadableStream<Uint8Array>} body
 */
export async function* lines(body) {
  const decoder = new TextDecoder();
  let waiting = "";
  for await (const bytes of chunks(body)) {
    const found = (waiting + decoder.decode(bytes, { stream: true })).split("\n");
    waiting = found.pop();
    for (const line of found) if (line) yield JSON.parse(line);
  }
}

// Not every browser can iterate over a stream.
async function* chunks(body) {
  if (body[Symbol.asyncIterator]) return yield* body;
  const reader = body.getReader();
  for (let next = await reader.read(); !next.done; next = await reader.read()) yield next.value;
}
