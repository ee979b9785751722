// What a program does where machines share a cache: it invalidates, and is told whether
// that is global. And for checks: when this process had read the log up to an entry.
import { revalidateTag, stats } from 'nextcache';

export const dynamic = 'force-dynamic';

const LOOK_MS = 1;

/** On the clock that all processes of a machine have. */
const now = () => String(process.hrtime.bigint());

export async function POST(request) {
  const { tag } = await request.json();
  try {
    await revalidateTag(tag);
    return Response.json({ at: now() });
  } catch ({ code, message }) {
    return Response.json({ code, message }, { status: 503 });
  }
}

const placeOf = (id) => id.split('-').map(Number);

/** Whether the entry `id` is obeyed here. */
function hasRead(id) {
  const [[ms, count], [readMs, readCount]] = [id, stats().remote.position].map(placeOf);
  return readMs > ms || (readMs === ms && readCount >= count);
}

export async function GET(request) {
  const { searchParams } = new URL(request.url);
  const until = Date.now() + Number(searchParams.get('patience'));
  while (!hasRead(searchParams.get('id'))) {
    if (Date.now() > until) return Response.json({});
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
  return Response.json({ at: now() });
}
