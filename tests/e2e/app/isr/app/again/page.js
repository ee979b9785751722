import { unstable_cache } from 'next/cache';
import { cookies } from 'next/headers';
import { ask, kept } from '../../lib/origin';

const again = unstable_cache(() => ask('again', kept('again')), ['again'], { tags: ['again'] });

// React answers a second fetch of one request from the first, in a function that is kept, too.
export default async function Again() {
  await cookies();
  await ask('again', kept('again'));
  await ask('gate', { cache: 'no-store' });
  return <main data-page="again" data-value={(await again()).value}>again</main>;
}
