export const revalidate = 2;

export default function Timed() {
  return <main data-made-at={Date.now()}><p>{'Two seconds old at most. '.repeat(30)}</p></main>;
}
