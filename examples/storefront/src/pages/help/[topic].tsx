// The help pages are older than the rest of the shop and still live in the
// Pages router.
import type { GetStaticPaths, GetStaticProps, InferGetStaticPropsType } from 'next';

const TOPICS: Record<string, { title: string; text: string[] }> = {
  delivery: {
    title: 'Delivery',
    text: [
      'Parcels up to 30 kg take three to five working days. Larger pieces are carried to the room of your choice by two people, who call the day before.',
      'Delivery is free above 150 €; below, it costs 6.90 €. We send to every country of the European Union, to Norway and to Switzerland.',
    ],
  },
  returns: {
    title: 'Returns',
    text: [
      'You have 60 days to change your mind. Write to us, and we send a label or a van; the way back costs nothing.',
      'What comes back in good order is sold again at a lower price, with a note that says why.',
    ],
  },
  repairs: {
    title: 'Repairs',
    text: ['We keep every spare part for at least fifteen years. Send a picture of what broke, and you have an answer within a day.'],
  },
};

interface Props {
  title: string;
  text: string[];
  madeAt: number;
}

export const getStaticPaths: GetStaticPaths = () => ({
  paths: [{ params: { topic: 'delivery' } }, { params: { topic: 'returns' } }],
  fallback: 'blocking',
});

export const getStaticProps: GetStaticProps<Props> = ({ params }) => {
  const topic = String(params?.topic);
  // The old shop called it by another name.
  if (topic === 'shipping') return { redirect: { destination: '/help/delivery', permanent: false }, revalidate: 3600 };
  if (!Object.hasOwn(TOPICS, topic)) return { notFound: true, revalidate: 3600 };
  return { props: { ...TOPICS[topic], madeAt: Date.now() }, revalidate: 3600 };
};

export default function Help({ title, text, madeAt }: InferGetStaticPropsType<typeof getStaticProps>) {
  return (
    <section className="prose">
      <h1>{title}</h1>
      {text.map((paragraph) => <p key={paragraph.slice(0, 40)}>{paragraph}</p>)}
      <p className="stamp">As of <time data-made-at={madeAt}>{new Date(madeAt).toISOString().slice(0, 10)}</time></p>
    </section>
  );
}
