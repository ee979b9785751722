export default function Shadowed() {
  return <main><p>{'Not to be seen under its own path. '.repeat(30)}</p></main>;
}
