import { marks } from './mark';
import { ask } from './origin';

/** The props of a page that shows a thing of the origin. */
export async function pageOf(name) {
  const thing = await ask(encodeURIComponent(name));
  return thing ? { props: { marks: marks(thing) }, revalidate: 86400 } : { notFound: true, revalidate: 86400 };
}
