import { notFound, redirect } from 'next/navigation';
import { ask, kept } from '../../../lib/origin';
import { marks } from '../../../lib/mark';

export const revalidate = 86400;

// The origin does not have `late` while the app is built.
export const generateStaticParams = () => ['a', 'b', 'late', 'été'].map((slug) => ({ slug }));

export default async function Post({ params }) {
  const slug = decodeURIComponent((await params).slug);
  if (slug === 'moved') redirect('/blog/a');
  const post = await ask(`post/${encodeURIComponent(slug)}`, kept('posts', `post-${slug}`));
  if (!post) notFound();
  return <main data-page="blog" data-slug={slug} {...marks(post)}>post {slug}</main>;
}
