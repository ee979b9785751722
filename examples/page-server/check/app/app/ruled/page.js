export default function Ruled() {
  return <main><p>{'A header of this page depends on a cookie. '.repeat(30)}</p></main>;
}
