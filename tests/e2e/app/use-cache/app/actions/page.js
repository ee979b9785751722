import { cookies } from 'next/headers';
import { Suspense } from 'react';
import { updateTag } from '../../lib/cache';
import { item } from '../../lib/things';

async function refresh() {
  'use server';
  updateTag('item-action');
}

async function Form() {
  await cookies();
  const { value, made } = await item('action');
  return (
    <form action={refresh} data-page="actions" data-value={value} data-made={made}>
      <button>refresh</button>
    </form>
  );
}

export default function Actions() {
  return (
    <Suspense fallback={<p>loading</p>}>
      <Form />
    </Suspense>
  );
}
