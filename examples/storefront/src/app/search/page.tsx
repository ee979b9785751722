import { Suspense } from 'react';
import { ProductGrid } from '@/components/product-grid';
import { searchProducts } from '@/lib/catalogue';

type Props = PageProps<'/search'>;

async function Results({ searchParams }: Props) {
  const { q } = await searchParams;
  const query = (Array.isArray(q) ? q[0] : q) ?? '';
  const products = query ? await searchProducts(query) : [];
  return (
    <>
      <p className="lead" data-results={products.length}>{products.length} results for “{query}”</p>
      <ProductGrid products={products} />
    </>
  );
}

export default function Page(props: Props) {
  return (
    <>
      <h1>Search</h1>
      <Suspense fallback={<p className="lead">Searching …</p>}><Results {...props} /></Suspense>
    </>
  );
}
