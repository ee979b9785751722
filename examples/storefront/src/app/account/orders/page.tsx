import Link from 'next/link';
import { Suspense } from 'react';
import { getOrders } from '@/lib/customer';
import { day, money } from '@/lib/format';
import { requireCustomer } from '@/lib/signed-in';

async function Orders() {
  const customer = await requireCustomer();
  const orders = await getOrders(customer.id);
  if (orders.length === 0) return <p className="lead" data-orders={0}>You have not ordered anything yet.</p>;
  return (
    <table data-orders={orders.length}>
      <tbody>
        {orders.map((order) => (
          <tr key={order.id} data-order={order.id}>
            <td><Link href={`/account/orders/${order.id}`} prefetch={false}>Order {order.id}</Link></td>
            <td>{day(order.placedAt)}</td>
            <td>{money(order.total)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

export default function Page() {
  return (
    <>
      <h1>Your orders</h1>
      <Suspense fallback={<p className="lead">One moment …</p>}><Orders /></Suspense>
    </>
  );
}
