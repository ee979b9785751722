// A handler for 'use cache' as a subject: the body of a fetch stands for what
// a cached function returned, and is stored as React writes it. A get counts when
// its stream has been read as Next.js 16 does it: forked, in case another request
// comes meanwhile, and one branch read to its end.

/** A string as React writes it: a row of text, and one that refers to it. */
const written = (text) => `1:T${Buffer.byteLength(text).toString(16)},${text}0:"$1"\n`;

const streamOf = (bytes) =>
  new ReadableStream({
    start(controller) {
      controller.enqueue(bytes);
      controller.close();
    },
  });

async function drain(stream) {
  const reader = stream.tee()[0].getReader();
  const chunks = [];
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return chunks.length === 1 ? chunks[0] : Buffer.concat(chunks);
    chunks.push(value);
  }
}

export class UseCache {
  constructor(handler) {
    this.handler = handler;
  }

  async get({ key, getContext }) {
    const found = await this.handler.get(key, getContext.softTags ?? []);
    return found && drain(found.value);
  }

  set({ key, value, tags }) {
    const bytes = new Uint8Array(Buffer.from(written(value.data.body)));
    const entry = { value: streamOf(bytes), tags, stale: 300, timestamp: performance.timeOrigin + performance.now(), expire: 31536000, revalidate: 3600 };
    return this.handler.set(key, Promise.resolve(entry));
  }

  revalidateTag(tag) {
    return this.handler.updateTags([tag]);
  }

  valueOf(bytes) {
    return bytes && { body: Buffer.from(bytes).toString() };
  }

  wanted({ value }) {
    return { body: written(value.data.body) };
  }

  close() {}
}
