import { ask } from '../../lib/origin';
import { marks } from '../../lib/mark';

export const revalidate = 1;

export default async function Timed() {
  const thing = await ask('timed', { next: { revalidate: 1, tags: ['timed'] } });
  return <main data-page="timed" {...marks(thing)}>timed</main>;
}
