import { marks } from '../lib/mark';

export const getStaticProps = () => ({ props: { marks: marks({ value: 'plain' }) } });

export default function Plain({ marks }) {
  return <main data-page="plain" {...marks}>plain</main>;
}
