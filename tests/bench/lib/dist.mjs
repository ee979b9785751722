// What a handler looks for of a build: a folder with a BUILD_ID.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export function makeDist(folder) {
  const server = join(folder, '.next/server');
  mkdirSync(server, { recursive: true });
  writeFileSync(join(folder, '.next/BUILD_ID'), 'bench');
  return server;
}
