import Image from 'next/image';
import Link from 'next/link';
import { money } from '@/lib/format';
import type { ProductCard } from '@/lib/types';

export function ProductGrid({ products }: { products: ProductCard[] }) {
  return (
    <ul className="grid">
      {products.map((product) => (
        <li key={product.slug} className="card">
          <Link href={`/products/${product.slug}`} prefetch={false}>
            <Image src={`/media/${product.slug}.png`} alt="" width={320} height={240} />
            <strong>{product.name}</strong>
            <span className="tagline">{product.tagline}</span>
            <span className="price">{money(product.price)}</span>
          </Link>
        </li>
      ))}
    </ul>
  );
}
