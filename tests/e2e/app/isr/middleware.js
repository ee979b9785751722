import { NextResponse } from 'next/server';

// Where Next.js 16 is to have a proxy, the builder names this file so.
export default function proxy(request) {
  const url = request.nextUrl.clone();
  if (url.pathname.startsWith('/before/')) {
    url.pathname = url.pathname.slice('/before'.length);
    return NextResponse.rewrite(url, { headers: { 'x-before': 'rewritten' } });
  }
  return NextResponse.next({ headers: { 'x-before': 'seen' } });
}

export const config = { matcher: ['/before/:path*', '/blog/:path*'] };
