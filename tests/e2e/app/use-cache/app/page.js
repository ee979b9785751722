export default function Home() {
  return <main data-page="home">home</main>;
}
