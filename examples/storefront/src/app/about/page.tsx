export const metadata = { title: 'About us' };

export default function Page() {
  return (
    <section className="prose">
      <h1>About us</h1>
      <p>Alder &amp; Birk sells what small workshops make: chairs, lamps, pans and plates that outlive their fashion. We visit every maker, we keep every spare part, and we say what a thing is made of.</p>
      <p>The shop itself is an example: it shows a Next.js storefront whose pages, route handlers, fetches and cached functions all live in nextcache.</p>
    </section>
  );
}
