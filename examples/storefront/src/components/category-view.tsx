import type { CategoryWithProducts } from '@/lib/types';
import { ProductGrid } from './product-grid';
import { Stamp } from './stamp';

export function CategoryView({ category }: { category: CategoryWithProducts }) {
  return (
    <>
      <h1>{category.name}</h1>
      <p className="lead">{category.blurb}</p>
      <ProductGrid products={category.products} />
      <Stamp what="Prices" />
    </>
  );
}
