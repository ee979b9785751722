import { redirect } from 'next/navigation';
import { getCustomer } from './customer';
import { getSession } from './session';

/** The customer who is asking; everybody else is sent to the sign-in page. */
export async function requireCustomer() {
  const session = await getSession();
  const customer = session?.customer === undefined ? null : await getCustomer(session.customer);
  if (!customer) redirect('/sign-in');
  return customer;
}
