export { updateTag } from 'next/cache';
