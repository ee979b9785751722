import Link from 'next/link';
import { money } from '@/lib/format';
import type { SkuSheet } from '@/lib/types';
import { Stamp } from './stamp';

export function SkuView({ sheet }: { sheet: SkuSheet }) {
  const { product } = sheet;
  return (
    <>
      <nav className="crumbs"><Link href={`/products/${product.slug}`} prefetch={false}>{product.name}</Link> / {sheet.sku}</nav>
      <h1>{product.name}, {sheet.finish}, {sheet.size}</h1>
      <p className="price" data-price={product.price + sheet.surcharge}>{money(product.price + sheet.surcharge)}</p>
      <table>
        <tbody>
          <tr><th>Article number</th><td>{sheet.sku}</td></tr>
          <tr><th>Finish</th><td>{sheet.finish}</td></tr>
          <tr><th>Size</th><td>{sheet.size}</td></tr>
          {product.specs.map(([name, value]) => <tr key={name}><th>{name}</th><td>{value}</td></tr>)}
        </tbody>
      </table>
      <section className="prose">{product.description.map((paragraph) => <p key={paragraph.slice(0, 40)}>{paragraph}</p>)}</section>
      <Stamp what="Price" />
    </>
  );
}
