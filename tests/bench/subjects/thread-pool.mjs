// A round trip to libuv's thread pool that does next to nothing there: below
// it nothing can be that leaves the thread of JavaScript.
import { randomFill } from 'node:crypto';

export const label = 'thread pool, one round trip';

export async function open() {
  const byte = Buffer.alloc(1);
  const roundTrip = () => new Promise((resolve) => { randomFill(byte, resolve); });
  return { get: roundTrip, set: roundTrip, valueOf: () => undefined, wanted: () => ({}), close() {} };
}
