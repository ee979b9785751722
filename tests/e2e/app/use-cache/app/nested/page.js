import { cookies } from 'next/headers';
import { Suspense } from 'react';
import { ask, item, outer } from '../../lib/things';

const STEPS = { item, outer, gate: ask };

/** Does what `?do=` lists, one after the other, for a thing, and shows the last value. */
async function Steps({ searchParams }) {
  await cookies();
  const { do: steps, id } = await searchParams;
  let last;
  for (const step of steps.split(',')) last = await STEPS[step](step === 'gate' ? 'gate' : id);
  return <p data-page="nested" data-value={last.value} data-made={last.made}>nested</p>;
}

export default function Page({ searchParams }) {
  return (
    <Suspense fallback={<p>loading</p>}>
      <Steps searchParams={searchParams} />
    </Suspense>
  );
}
