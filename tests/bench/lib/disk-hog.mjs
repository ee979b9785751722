// A process that keeps the disk busy: it writes and flushes without end.
import { fsyncSync, openSync, writeSync } from 'node:fs';

const block = Buffer.alloc(4 * 2 ** 20, 1);
const BLOCKS = 32;
const file = openSync(process.argv[2], 'w');
for (let i = 0; ; i += 1) {
  writeSync(file, block, 0, block.length, (i % BLOCKS) * block.length);
  fsyncSync(file);
}
