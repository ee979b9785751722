import { item } from '../../../lib/things';

export const generateStaticParams = () => [{ id: 'a' }, { id: 'b' }];

export default async function Item({ params }) {
  const { id } = await params;
  const { value, made } = await item(id);
  return <main data-page="item" data-value={value} data-made={made}>item {id}</main>;
}
