import Image from 'next/image';
import Link from 'next/link';
import type { ReactNode } from 'react';
import { addToCart } from '@/actions/cart';
import { day, money } from '@/lib/format';
import type { Product } from '@/lib/types';
import { ProductGrid } from './product-grid';
import { Stamp } from './stamp';

function Buy({ product }: { product: Product }) {
  return (
    <form action={addToCart} className="buy">
      <label>
        Variant
        <select name="sku">
          {product.skus.map(({ sku, finish, size, surcharge }) => (
            <option key={sku} value={sku}>
              {finish}, {size}{surcharge ? ` (+${money(surcharge)})` : ''}
            </option>
          ))}
        </select>
      </label>
      <label>
        Quantity
        <input name="quantity" type="number" min={1} max={99} defaultValue={1} />
      </label>
      <button>Add to cart</button>
    </form>
  );
}

function Reviews({ reviews }: { reviews: Product['reviews'] }) {
  const average = reviews.reduce((sum, review) => sum + review.stars, 0) / reviews.length;
  return (
    <section>
      <h2>What customers say</h2>
      <p className="lead">{average.toFixed(1)} of 5 stars in {reviews.length} reviews</p>
      <div className="reviews">
        {reviews.map((review) => (
          <article key={review.author + review.date + review.text.slice(0, 20)}>
            <h3>{'★'.repeat(review.stars)}{'☆'.repeat(5 - review.stars)}</h3>
            <p>{review.text}</p>
            <p className="by">{review.author}, {day(review.date)}</p>
          </article>
        ))}
      </div>
    </section>
  );
}

export function ProductView({ product, delivery }: { product: Product; delivery: ReactNode }) {
  return (
    <>
      <nav className="crumbs">
        <Link href="/">Home</Link> / <Link href={`/categories/${product.category}`} prefetch={false}>{product.category}</Link>
      </nav>
      <div className="product">
        <Image src={`/media/${product.slug}.png`} alt={product.name} width={640} height={480} priority />
        <div>
          <h1>{product.name}</h1>
          <p className="lead">{product.tagline}</p>
          <p className="price" data-price={product.price}>{money(product.price)}</p>
          <p className="stock" data-stock={product.stock}>{product.stock > 0 ? `${product.stock} in stock` : 'Sold out'}</p>
          <Buy product={product} />
          {delivery}
          <Stamp what="Price and stock" />
        </div>
      </div>
      <section className="prose">
        <h2>About it</h2>
        {product.description.map((paragraph) => <p key={paragraph.slice(0, 40)}>{paragraph}</p>)}
      </section>
      <section>
        <h2>Specification</h2>
        <table>
          <tbody>
            {product.specs.map(([name, value]) => <tr key={name}><th>{name}</th><td>{value}</td></tr>)}
          </tbody>
        </table>
      </section>
      <section>
        <h2>Variants</h2>
        <ul className="variants">
          {product.skus.map(({ sku, finish, size }) => (
            <li key={sku}><Link href={`/products/${product.slug}/${sku}`} prefetch={false}>{finish}, {size}</Link></li>
          ))}
        </ul>
      </section>
      <section className="prose">
        <h2>Questions</h2>
        {product.questions.map(({ question, answer }) => <p key={question}><strong>{question}</strong><br />{answer}</p>)}
      </section>
      <Reviews reviews={product.reviews} />
      <section>
        <h2>Goes well with it</h2>
        <ProductGrid products={product.related} />
      </section>
    </>
  );
}
