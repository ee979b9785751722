export default function Home() {
  return <main><h1>Home</h1><p>{'Made once, by the build. '.repeat(30)}</p></main>;
}
