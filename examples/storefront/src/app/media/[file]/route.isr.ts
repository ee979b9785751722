import { getFeatured, getProduct } from '@/lib/catalogue';
import { drawPicture } from '@/lib/picture';

export const dynamic = 'force-static';
export const revalidate = false;

export async function generateStaticParams() {
  return (await getFeatured()).slice(0, 8).map(({ slug }) => ({ file: `${slug}.png` }));
}

/** A product's picture: /media/<slug>.png */
export async function GET(_: Request, { params }: { params: Promise<{ file: string }> }) {
  const [slug, kind] = (await params).file.split('.');
  const product = kind === 'png' ? await getProduct(slug) : null;
  if (!product) return new Response('no such picture', { status: 404 });
  return new Response(new Uint8Array(drawPicture(slug, product.category)), { headers: { 'content-type': 'image/png' } });
}
