import { unstable_cache } from 'next/cache';

export const generateStaticParams = () => [{ slug: 'a' }, { slug: 'b' }];

export default async function Product({ params }) {
  const { slug } = await params;
  const madeAt = await unstable_cache(async () => Date.now(), [slug], { tags: ['products', `product-${slug}`] })();
  return <main data-made-at={madeAt}><h1>{slug}</h1><p>{'A product with tags. '.repeat(40)}</p></main>;
}
