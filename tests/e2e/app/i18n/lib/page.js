export default function Page({ marks }) {
  return <main {...marks}>page</main>;
}
