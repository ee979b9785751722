export const dynamic = 'force-static';

export const GET = () => new Response('Made once, and said to be for one kind of client.', { headers: { 'content-type': 'text/plain', vary: 'User-Agent' } });
