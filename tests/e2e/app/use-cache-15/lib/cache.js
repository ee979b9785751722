export { revalidateTag as updateTag, unstable_cacheLife as cacheLife, unstable_cacheTag as cacheTag } from 'next/cache';
export const readsByteStreams = false;
