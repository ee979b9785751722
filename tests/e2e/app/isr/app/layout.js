import Link from 'next/link';

export const metadata = { title: 'nextcache e2e' };

const LINKS = ['/', '/blog/a', '/blog/b', '/timed'];

export default function Layout({ children }) {
  return (
    <html lang="en">
      <body>
        <nav>{LINKS.map((path) => <Link key={path} href={path} data-link={path}>{path}</Link>)}</nav>
        {children}
      </body>
    </html>
  );
}
