import Link from 'next/link';
import { Suspense } from 'react';
import { changeQuantity, placeOrder } from '@/actions/cart';
import { getCart, getCustomer } from '@/lib/customer';
import { money } from '@/lib/format';
import { getSession } from '@/lib/session';
import type { CartLine } from '@/lib/types';

type Props = PageProps<'/cart'>;

function Line({ line }: { line: CartLine }) {
  return (
    <tr data-sku={line.sku} data-quantity={line.quantity}>
      <td><Link href={`/products/${line.slug}`} prefetch={false}>{line.name}</Link><br /><small>{line.finish}, {line.size}</small></td>
      <td>{money(line.price)}</td>
      <td>
        <form action={changeQuantity} className="inline">
          <input type="hidden" name="sku" value={line.sku} />
          <input type="number" name="quantity" min={0} max={99} defaultValue={line.quantity} aria-label="Quantity" />
          <button>Change</button>
        </form>
      </td>
      <td>{money(line.price * line.quantity)}</td>
    </tr>
  );
}

async function Checkout({ customer }: { customer?: number }) {
  const known = customer === undefined ? null : await getCustomer(customer);
  if (!known) return <p><Link className="button" href="/sign-in">Sign in to order</Link></p>;
  return (
    <form action={placeOrder} className="panel">
      <h2>Checkout</h2>
      <p>To {known.name}, {known.street}, {known.city}. You pay when it has arrived.</p>
      <button>Place the order</button>
    </form>
  );
}

async function Contents({ searchParams }: Props) {
  const [session, { problem }] = await Promise.all([getSession(), searchParams]);
  const cart = session && (await getCart(session.cart));
  if (!session || !cart?.count) return <p className="lead" data-total={0}>Your cart is empty.</p>;
  return (
    <>
      {problem ? <p className="problem">{problem}</p> : null}
      <table>
        <thead><tr><th>Article</th><th>Price</th><th>Quantity</th><th>Sum</th></tr></thead>
        <tbody>{cart.lines.map((line) => <Line key={line.sku} line={line} />)}</tbody>
      </table>
      <p className="price" data-total={cart.total}>{money(cart.total)}</p>
      <Checkout customer={session.customer} />
    </>
  );
}

export default function Page(props: Props) {
  return (
    <>
      <h1>Your cart</h1>
      <Suspense fallback={<p className="lead">One moment …</p>}><Contents {...props} /></Suspense>
    </>
  );
}
