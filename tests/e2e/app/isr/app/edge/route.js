import { ask, kept } from '../../lib/origin';

export const runtime = 'edge';

export async function GET() {
  const thing = await ask('edge', kept('edge'));
  return Response.json({ runtime: typeof EdgeRuntime === 'string' ? 'edge' : 'node', value: thing.value });
}
