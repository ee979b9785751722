import { randomUUID } from 'node:crypto';

/** Attributes by which a check sees what a page shows, and which render made it. */
export const marks = (thing) => ({ 'data-value': thing?.value ?? 'none', 'data-made': randomUUID() });
