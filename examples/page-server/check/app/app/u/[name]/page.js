export const dynamic = 'force-static';
export const generateStaticParams = () => [];

export default async function User({ params }) {
  const { name } = await params;
  return <main><h1>{decodeURIComponent(name)} → ∞</h1><p>{'Text beyond Latin-1: “quoted”, 世界, 🎈. '.repeat(30)}</p></main>;
}
