import { connection } from 'next/server';
import { stamp } from '../../../stamp';

export async function GET() {
  await connection();
  return Response.json({ pid: process.pid, madeAt: await stamp() });
}
