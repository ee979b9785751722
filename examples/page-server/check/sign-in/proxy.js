// Laid over the app for the build in which every page is behind a sign-in.
import { NextResponse } from 'next/server';

export default function proxy(request) {
  if (request.cookies.get('session')?.value === 'ada') return NextResponse.next();
  return new NextResponse('sign in first', { status: 401 });
}
