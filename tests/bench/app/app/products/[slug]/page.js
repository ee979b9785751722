// A page of about 40 KB of HTML that is rendered when it is first asked for,
// and then kept for ever.
export const dynamic = 'force-static';
export const generateStaticParams = () => [];

const ROWS = 100;

export default async function Product({ params }) {
  const { slug } = await params;
  const rows = Array.from({ length: ROWS }, (_, row) => `The ${row}. thing that is to be said about the product ${slug}, at some length and in plain words.`);
  return <main><h1>{slug}</h1><ul>{rows.map((text) => <li key={text} className="row">{text}</li>)}</ul></main>;
}
