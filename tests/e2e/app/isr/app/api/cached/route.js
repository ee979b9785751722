import { randomUUID } from 'node:crypto';
import { ask, kept } from '../../../lib/origin';

export const dynamic = 'force-static';
export const revalidate = 86400;

export async function GET() {
  const { value } = await ask('route', kept('route'));
  return new Response(Uint8Array.from({ length: 256 }, (_, byte) => byte), {
    status: 203,
    headers: { 'content-type': 'application/octet-stream', 'x-value': value, 'x-made': randomUUID(), 'x-list': 'a, b' },
  });
}
