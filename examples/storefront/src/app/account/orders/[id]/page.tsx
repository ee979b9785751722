import { notFound } from 'next/navigation';
import { Suspense } from 'react';
import { getOrder } from '@/lib/customer';
import { day, money } from '@/lib/format';
import { requireCustomer } from '@/lib/signed-in';

type Props = PageProps<'/account/orders/[id]'>;

async function OrderView({ params }: Props) {
  const [customer, { id }] = await Promise.all([requireCustomer(), params]);
  const order = /^\d+$/.test(id) ? await getOrder(customer.id, Number(id)) : null;
  if (!order) notFound();
  return (
    <>
      <h1 data-order={order.id}>Order {order.id}</h1>
      <p className="lead">Placed on {day(order.placedAt)}, to {order.street}, {order.city}</p>
      <table>
        <tbody>
          {order.lines.map((line) => (
            <tr key={line.sku}><td>{line.quantity} × {line.name}</td><td>{money(line.price * line.quantity)}</td></tr>
          ))}
        </tbody>
      </table>
      <p className="price" data-total={order.total}>{money(order.total)}</p>
    </>
  );
}

export default function Page(props: Props) {
  return <Suspense fallback={<p className="lead">One moment …</p>}><OrderView {...props} /></Suspense>;
}
