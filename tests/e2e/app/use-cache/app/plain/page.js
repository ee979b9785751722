import { item } from '../../lib/things';

// Wholly static, without parameters.
export default async function Plain() {
  const { value, made } = await item('plain');
  return <main data-page="plain" data-value={value} data-made={made}>plain</main>;
}
