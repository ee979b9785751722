'use client';

import Link from 'next/link';
import { usePathname } from 'next/navigation';
import { useEffect, useState } from 'react';

interface Me {
  name: string | null;
  admin: boolean;
  cartCount: number;
}

/** Who is signed in and what is in the cart. It asks after the page has come,
 *  so that the page itself is the same for everybody and can be cached. */
export function AccountLink() {
  const [me, setMe] = useState<Me | null>(null);
  const path = usePathname();
  useEffect(() => {
    let current = true;
    fetch('/api/me', { cache: 'no-store' })
      .then((response) => response.json())
      .then((answer: Me) => current && setMe(answer))
      .catch(() => undefined);
    return () => {
      current = false;
    };
  }, [path]);
  return (
    <nav className="visitor" aria-label="Your account">
      {me?.admin ? <Link href="/admin">Admin</Link> : null}
      <Link href={me?.name ? '/account' : '/sign-in'}>{me?.name ?? 'Sign in'}</Link>
      <Link href="/cart">Cart{me?.cartCount ? ` (${me.cartCount})` : ''}</Link>
    </nav>
  );
}
