// A handler for 'use cache' as a subject: the body of a fetch stands for what
// a cached function returned. A get counts when its stream has been read.

const streamOf = (bytes) =>
  new ReadableStream({
    start(controller) {
      controller.enqueue(bytes);
      controller.close();
    },
  });

async function drain(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks.length === 1 ? chunks[0] : Buffer.concat(chunks);
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
    const bytes = new Uint8Array(Buffer.from(value.data.body, 'latin1'));
    const entry = { value: streamOf(bytes), tags, stale: 300, timestamp: performance.timeOrigin + performance.now(), expire: 31536000, revalidate: 3600 };
    return this.handler.set(key, Promise.resolve(entry));
  }

  revalidateTag(tag) {
    return this.handler.updateTags([tag]);
  }

  valueOf(bytes) {
    return bytes && { body: Buffer.from(bytes).toString('latin1') };
  }

  wanted({ value }) {
    return { body: value.data.body };
  }

  close() {}
}
