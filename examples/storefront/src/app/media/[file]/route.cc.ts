import { cacheLife } from 'next/cache';
import { getFeatured, getProduct } from '@/lib/catalogue';
import { drawPicture } from '@/lib/picture';

export async function generateStaticParams() {
  return (await getFeatured()).slice(0, 8).map(({ slug }) => ({ file: `${slug}.png` }));
}

async function picture(slug: string) {
  'use cache';
  cacheLife('max');
  const product = await getProduct(slug);
  return product && new Uint8Array(drawPicture(slug, product.category));
}

/** A product's picture: /media/<slug>.png */
export async function GET(_: Request, { params }: { params: Promise<{ file: string }> }) {
  const [slug, kind] = (await params).file.split('.');
  const bytes = kind === 'png' ? await picture(slug) : null;
  if (!bytes) return new Response('no such picture', { status: 404 });
  return new Response(bytes, { headers: { 'content-type': 'image/png' } });
}
