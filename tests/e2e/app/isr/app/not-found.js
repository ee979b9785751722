export default function NotFound() {
  return <main data-page="not-found">no such page</main>;
}
