import type { Metadata } from 'next';
import Link from 'next/link';
import { Suspense, type ReactNode } from 'react';
import { AccountLink } from '@/components/account-link';
import '@/styles.css';

export const metadata: Metadata = {
  title: { default: 'Alder & Birk', template: '%s · Alder & Birk' },
  description: 'Furniture, tools and tableware from small workshops',
};

export default function Layout({ children }: { children: ReactNode }) {
  return (
    <html lang="en">
      <body>
        <header>
          <Link href="/" className="logo">Alder &amp; Birk</Link>
          <form action="/search" role="search">
            <input type="search" name="q" placeholder="What are you looking for?" aria-label="Search" />
          </form>
          <Suspense><AccountLink /></Suspense>
        </header>
        <main>{children}</main>
        <footer>
          <Link href="/about">About us</Link>
          <Link href="/help/delivery" prefetch={false}>Delivery</Link>
          <Link href="/help/returns" prefetch={false}>Returns</Link>
          <span>An example shop: nothing here is for sale.</span>
        </footer>
      </body>
    </html>
  );
}
