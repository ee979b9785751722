import { redirect } from 'next/navigation';
import { Suspense } from 'react';
import { changeProduct } from '@/actions/admin';
import { getProduct } from '@/lib/catalogue';
import { money } from '@/lib/format';
import { requireCustomer } from '@/lib/signed-in';

type Props = PageProps<'/admin'>;

async function Admin({ searchParams }: Props) {
  const [customer, { slug, problem }] = await Promise.all([requireCustomer(), searchParams]);
  if (!customer.admin) redirect('/account');
  const product = typeof slug === 'string' ? await getProduct(slug) : null;
  return (
    <>
      {problem ? <p className="problem">{problem}</p> : null}
      {product ? <p className="lead">{product.name}: {money(product.price)}, {product.stock} in stock</p> : null}
      <form action={changeProduct} className="panel" data-form="admin">
        <label>Product<input name="slug" defaultValue={product?.slug} placeholder="alder-dining-chair" required /></label>
        <label>Price in euros<input name="price" type="number" step="0.01" min="0" placeholder="as it is" /></label>
        <label>Stock<input name="stock" type="number" min="0" placeholder="as it is" /></label>
        <button>Change</button>
      </form>
    </>
  );
}

export default function Page(props: Props) {
  return (
    <>
      <h1>Price and stock</h1>
      <Suspense fallback={<p className="lead">One moment …</p>}><Admin {...props} /></Suspense>
    </>
  );
}
