// V8's own serializer, from and to bytes in a Map: what decoding costs when it
// copies everything.
import v8 from 'node:v8';

export const label = 'v8.deserialize';

export async function open() {
  const kept = new Map();
  return {
    get: ({ key }) => v8.deserialize(kept.get(key)),
    set: ({ key, value }) => kept.set(key, v8.serialize(value)),
    valueOf: (value) => value,
    close: () => kept.clear(),
  };
}
