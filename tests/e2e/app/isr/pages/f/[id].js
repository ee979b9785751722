import { ask } from '../../lib/origin';
import { marks } from '../../lib/mark';

export const getStaticPaths = () => ({ paths: [], fallback: true });

export async function getStaticProps({ params: { id } }) {
  return { props: { marks: marks(await ask(`fallback/${id}`)) }, revalidate: 86400 };
}

export default function Page({ marks }) {
  return <main data-page="f" {...(marks ?? { 'data-value': 'loading' })}>fallback</main>;
}
