// Where things lie.
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const benchFolder = dirname(dirname(fileURLToPath(import.meta.url)));
export const rootFolder = dirname(dirname(benchFolder));
export const workFolder = join(rootFolder, 'build/bench');
/** For files of this run alone: several may be under way. */
export const scratchFolder = join(workFolder, `scratch-${process.pid}`);
/** The same in a tmpfs, where Linux has one. */
export const memoryFolder = `/dev/shm/nextcache-bench-${process.pid}`;
export const peersFolder = join(workFolder, 'peers');
export const programsFolder = join(rootFolder, 'build/release/tests/bench');

/** Loads a package that was installed to be measured beside. */
export const requirePeer = createRequire(join(peersFolder, 'package.json'));

/** Loads the packages' files that are under test. */
export const requireOwn = createRequire(join(rootFolder, 'bindings/node/package.json'));
