import { getCustomer } from '@/lib/customer';
import { getSession } from '@/lib/session';

/** The same for everybody. */
export function Delivery() {
  return <p className="delivery">Delivered in 3–5 working days, to the room of your choice.</p>;
}

/** For the one who is asking; it reads a cookie, so it is never in a cached page. */
export async function PersonalDelivery() {
  const session = await getSession();
  const customer = session?.customer === undefined ? null : await getCustomer(session.customer);
  if (!customer?.city) return <Delivery />;
  return <p className="delivery">Delivered to {customer.city} in 2–3 working days, {customer.name.split(' ')[0]}.</p>;
}
