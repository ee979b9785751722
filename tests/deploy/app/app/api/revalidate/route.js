import { revalidatePath, revalidateTag } from 'next/cache';

export async function POST() {
  revalidateTag('stamp', { expire: 0 });
  revalidatePath('/isr/made');
  return Response.json({ pid: process.pid });
}
