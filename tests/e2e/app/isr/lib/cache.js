// What is called differently in other versions of Next.js: see isr-16.
import { revalidateTag } from 'next/cache';

export const updateTag = revalidateTag;
