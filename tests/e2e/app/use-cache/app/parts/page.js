import { cookies } from 'next/headers';
import { Suspense } from 'react';
import { item, large, ofOurOwn, remote, shortLived, unicode } from '../../lib/things';

// A static shell, and a hole that every request fills from the caches.
async function Parts() {
  await cookies();
  const things = {
    item: await item('part'), remote: await remote('part'), own: await ofOurOwn('part'), unicode: await unicode('part'),
    large: await large('part', 20000), short: await shortLived('part'),
  };
  const shown = Object.entries(things).flatMap(([name, { value, made }]) => [[`data-${name}`, value], [`data-${name}-made`, made]]);
  return <p data-page="parts" data-length={things.large.text.length} {...Object.fromEntries(shown)}>parts</p>;
}

export default function Page() {
  return (
    <main>
      <h1>shell</h1>
      <Suspense fallback={<p>loading</p>}>
        <Parts />
      </Suspense>
    </main>
  );
}
