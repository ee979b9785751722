import Link from 'next/link';
import { Suspense } from 'react';

export default function Layout({ children }) {
  return (
    <html lang="en">
      <body>
        <nav>{['/item/a', '/item/b'].map((path) => <Link key={path} href={path} data-link={path}>{path}</Link>)}</nav>
        <Suspense fallback={<p>loading</p>}>{children}</Suspense>
      </body>
    </html>
  );
}
