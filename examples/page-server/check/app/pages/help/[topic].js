export const getStaticPaths = () => ({ paths: [{ params: { topic: 'returns' } }], fallback: 'blocking' });
export const getStaticProps = ({ params }) => ({ props: { topic: params.topic, madeAt: Date.now() }, revalidate: 3600 });

export default function Help({ topic, madeAt }) {
  return <main data-made-at={madeAt}><h1>{topic}</h1><p>{'Of the Pages router. '.repeat(40)}</p></main>;
}
