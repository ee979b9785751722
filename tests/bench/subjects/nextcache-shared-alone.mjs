// The same without what others leave out: nothing that is read is kept on this machine.
import { openShared } from './nextcache-shared.mjs';

export const label = 'nextcache, kept nowhere (Redis)';
export const needsRedis = true;

export const open = (where) => openShared(where, { maxMemorySize: 0, maxDiskSize: 0 });
