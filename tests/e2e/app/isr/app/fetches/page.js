import { unstable_cache } from 'next/cache';
import { cookies } from 'next/headers';
import { ask, kept } from '../../lib/origin';

const posted = { ...kept('fetches'), headers: { 'content-type': 'application/json' }, method: 'POST' };

const cached = unstable_cache((name) => ask(`function/${name}`, { cache: 'no-store' }), ['kept'], { tags: ['function'] });
const nothing = unstable_cache(async () => {
  await ask('nothing', { cache: 'no-store' });
}, ['nothing'], { tags: ['nothing'] });

async function binary() {
  const response = await fetch(`${process.env.E2E_ORIGIN}/bytes`, kept('bytes'));
  return Buffer.from(await response.arrayBuffer()).toString('hex');
}

export default async function Fetches() {
  await cookies(); // made for each request
  const values = {
    tagged: await ask('fetch/tagged', kept('tagged', 'fetches')),
    timed: await ask('fetch/timed', { next: { revalidate: 1, tags: ['fetches'] } }),
    unicode: await ask('fetch/unicode', kept('schlüssel')),
    first: await ask('fetch/post', { ...posted, body: '{"n":1}' }),
    second: await ask('fetch/post', { ...posted, body: '{"n":2}' }),
    fresh: await ask('fetch/fresh', { cache: 'no-store' }),
    function: await cached('a'),
    nothing: { value: String(await nothing()) },
    bytes: { value: await binary() },
  };
  const shown = Object.entries(values).map(([name, thing]) => [`data-${name}`, thing?.value ?? 'none']);
  return <main data-page="fetches" {...Object.fromEntries(shown)}>fetches</main>;
}
