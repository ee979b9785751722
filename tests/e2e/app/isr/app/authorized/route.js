import { ask } from '../../lib/origin';

const HOW = {
  plain: {},
  forced: { cache: 'force-cache' },
  timed: { next: { revalidate: 3600 } },
};

// Asks the origin in the name of who asks, in one of the ways that code does it.
export async function GET(request) {
  const authorization = request.headers.get('authorization');
  const how = new URL(request.url).searchParams.get('how');
  const { value } = await ask(`private/${how}`, { ...HOW[how], headers: { authorization } });
  return Response.json({ value });
}
