export const getStaticPaths = () => ({ paths: [], fallback: 'blocking' });
export const getStaticProps = () => ({ props: { madeAt: Date.now() }, revalidate: 3600 });

export default function Page({ madeAt }) {
  return <main data-made-at={madeAt}>A page of the Pages router, made at its first request.</main>;
}
