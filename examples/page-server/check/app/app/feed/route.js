export const dynamic = 'force-static';

export const GET = () => Response.json({ items: Array.from({ length: 200 }, (_, id) => ({ id, title: `item ${id}` })) });
