import { updateTag } from '../../lib/cache';
import { ask, kept } from '../../lib/origin';
import { marks } from '../../lib/mark';

async function refresh() {
  'use server';
  updateTag('post-action');
}

export default async function Actions() {
  const post = await ask('post/action', kept('post-action'));
  return (
    <form action={refresh} data-page="actions" {...marks(post)}>
      <button>refresh</button>
    </form>
  );
}
