// The Next.js releases that nextcache is tested with: the newest of each line,
// and both sides of every change that a cache handler can see.
export const VERSIONS = [
  { version: '14.2.35', react: '18.3.1', why: 'the last of 14.2' },
  { version: '15.5.26', react: '19.2.0', why: 'the last of 15.5 with plain response keys' },
  { version: '15.5.29', react: '19.2.0', why: 'the newest of 15.5, with response keys scoped by route' },
  { version: '16.2.12', react: '19.2.0', why: 'the first line that gives images to the handler; an entry never expires' },
  { version: '16.3.0', react: '19.2.0', why: 'the first in which an expired page is rendered before the answer' },
  { version: '16.3.8', react: '19.2.0', why: 'the first of 16 with response keys scoped by route' },
  { version: '16.4.6', react: '19.2.0', why: 'lifetimes may come from the handler' },
];

/** [major, minor, patch] */
export const numbers = (version) => version.split('.').map(Number);

/** Whether a version is `other` or later. */
export function atLeast(version, other) {
  const [a, b] = [numbers(version), numbers(other)];
  const at = b.findIndex((number, index) => a[index] !== number);
  return at === -1 || a[at] > b[at];
}
