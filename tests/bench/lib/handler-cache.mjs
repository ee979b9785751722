// A cache handler of Next.js as a subject.
//
// Next makes an instance for every request. One is used for all gets and sets
// of a row, because what a constructor costs is not what is measured, and a new
// one for every revalidation, because it is another request. After it a new
// request() must begin: what an older one stores, it may have rendered before.
import assert from 'node:assert/strict';

export class HandlerCache {
  #create;

  constructor(create) {
    this.#create = create;
    this.request();
  }

  request() {
    this.handler = this.#create();
  }

  get({ key, getContext }) {
    return this.handler.get(key, getContext);
  }

  set({ key, value, setContext }) {
    return this.handler.set(key, value, setContext);
  }

  /** What another request calls to revalidate; Next.js has made its instance when it began. */
  revalidation() {
    const handler = this.#create();
    return (tag) => handler.revalidateTag(tag);
  }

  valueOf(answer) {
    return answer?.value;
  }

  close() {}
}

/** What a subject did not give back as it got it; an empty list is right. */
export function differences(value, wanted) {
  const wrong = [];
  for (const [name, expected] of Object.entries(wanted)) {
    try {
      assert.deepStrictEqual(value?.[name], expected);
    } catch {
      wrong.push(name);
    }
  }
  return wrong;
}
