import Link from 'next/link';
import { ask } from '../../lib/origin';
import { marks } from '../../lib/mark';

// The origin does not have `late` while the app is built.
export const getStaticPaths = () => ({
  paths: ['one', 'two', 'late'].map((id) => ({ params: { id } })),
  fallback: 'blocking',
});

export async function getStaticProps({ params: { id } }) {
  if (id === 'moved') return { redirect: { destination: '/p/one', permanent: false }, revalidate: 86400 };
  const thing = await ask(`page/${encodeURIComponent(id)}`);
  if (!thing) return { notFound: true, revalidate: 86400 };
  return { props: { id, marks: marks(thing) }, revalidate: 86400 };
}

export default function Page({ id, marks }) {
  return (
    <main data-page="p" data-id={id} {...marks}>
      page {id} <Link href="/p/two" data-link="/p/two">two</Link>
    </main>
  );
}
