// No cache at all: what a measurement shows when nothing is done.
export const label = 'no cache';

export async function open() {
  return { get: async () => null, set: async () => {}, valueOf: () => undefined, wanted: () => ({}), close() {} };
}
