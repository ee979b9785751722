import { cookies } from 'next/headers';
import { Suspense } from 'react';
import { bytesOf, isCounted, KINDS, memoryOf } from '../../lib/bytes';

const ALIGNMENTS = 8;

/** Turns round what it is given, and tells where that had been done before. */
async function Bytes() {
  await cookies();
  const spoiled = [];
  let made = '';
  for (const kind of KINDS) {
    for (let shift = 0; shift < ALIGNMENTS; shift += 1) {
      const result = await bytesOf(kind, shift);
      const bytes = await memoryOf(result.content);
      if (!isCounted(bytes)) spoiled.push(kind);
      bytes.reverse();
      made += `${result.made} `;
    }
  }
  return <p data-page="bytes" data-value={[...new Set(spoiled)].join(', ') || 'as stored'} data-made={made}>bytes</p>;
}

export default function Page() {
  return (
    <Suspense fallback={<p>loading</p>}>
      <Bytes />
    </Suspense>
  );
}
