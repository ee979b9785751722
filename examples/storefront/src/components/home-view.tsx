import Link from 'next/link';
import { getCategories, getFeatured } from '@/lib/catalogue';
import { ProductGrid } from './product-grid';
import { Stamp } from './stamp';

export async function HomeView() {
  const [categories, featured] = await Promise.all([getCategories(), getFeatured()]);
  return (
    <>
      <section className="hero">
        <h1>Things that stay</h1>
        <p>Furniture, tools and tableware from small workshops, made to be used every day and repaired when they must.</p>
        <Link className="button" href="/offers/today">Today’s offer</Link>
      </section>
      <section>
        <h2>Departments</h2>
        <ul className="departments">
          {categories.map((category) => (
            <li key={category.slug}>
              <Link href={`/categories/${category.slug}`} prefetch={false}>
                <strong>{category.name}</strong>
                <span>{category.count} products</span>
              </Link>
            </li>
          ))}
        </ul>
      </section>
      <section>
        <h2>This season</h2>
        <ProductGrid products={featured} />
      </section>
      <Stamp what="Prices" />
    </>
  );
}
