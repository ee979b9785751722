import Link from 'next/link';

export default function NotFound() {
  return (
    <section className="hero">
      <h1>We do not have that</h1>
      <p>It may have been sold out for good, or it was never here.</p>
      <Link className="button" href="/">Back to the shop</Link>
    </section>
  );
}
