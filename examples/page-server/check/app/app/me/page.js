import { cookies } from 'next/headers';

export default async function Me() {
  const name = (await cookies()).get('name')?.value ?? 'nobody';
  return <main><p>{name}</p><p>{'Made for one visitor. '.repeat(30)}</p></main>;
}
