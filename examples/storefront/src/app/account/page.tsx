import Link from 'next/link';
import { Suspense } from 'react';
import { signOut, updateAccount } from '@/actions/account';
import { requireCustomer } from '@/lib/signed-in';

async function Account() {
  const customer = await requireCustomer();
  return (
    <div className="columns">
      <form action={updateAccount} className="panel" data-form="account">
        <h2 data-customer={customer.id}>{customer.name}</h2>
        <p>{customer.email}</p>
        <label>Name<input name="name" defaultValue={customer.name} required /></label>
        <label>Street<input name="street" defaultValue={customer.street} /></label>
        <label>City<input name="city" defaultValue={customer.city} /></label>
        <button>Save</button>
      </form>
      <div className="panel">
        <p><Link href="/account/orders">Your orders</Link></p>
        <form action={signOut} data-form="sign-out"><button>Sign out</button></form>
      </div>
    </div>
  );
}

export default function Page() {
  return (
    <>
      <h1>Your account</h1>
      <Suspense fallback={<p className="lead">One moment …</p>}><Account /></Suspense>
    </>
  );
}
