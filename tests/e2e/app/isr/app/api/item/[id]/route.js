import { randomUUID } from 'node:crypto';
import { ask, kept } from '../../../../lib/origin';

export const dynamic = 'force-static';
export const revalidate = 86400;

export async function GET(request, { params }) {
  const { id } = await params;
  const { value } = await ask(`item/${id}`, kept(`item-${id}`));
  return Response.json({ id, value, made: randomUUID() }, { headers: { 'x-item': 'header-of-an-item' } });
}
