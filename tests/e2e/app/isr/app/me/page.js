import { cookies } from 'next/headers';
import { ask, kept } from '../../lib/origin';

export default async function Me() {
  const session = (await cookies()).get('session')?.value;
  const shop = await ask('shop', kept('shop'));
  const me = session ? await ask('me', { headers: { authorization: `Bearer ${session}` } }) : null;
  return <main data-page="me" data-shop={shop.value} data-who={me?.who ?? 'nobody'}>me</main>;
}
