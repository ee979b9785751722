import { revalidatePath, revalidateTag } from 'next/cache';

// {tag, profile} or {path, type}: what is said goes to Next.js as it is.
export async function POST(request) {
  const { tag, profile, path, type } = await request.json();
  if (tag !== undefined) revalidateTag(tag, profile);
  if (path !== undefined) revalidatePath(path, type);
  return Response.json({ pid: process.pid });
}
