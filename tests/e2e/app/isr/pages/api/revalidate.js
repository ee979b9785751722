export default async function handler(request, response) {
  await response.revalidate(request.query.path, { unstable_onlyGenerated: request.query.only === '1' });
  response.json({ pid: process.pid });
}
