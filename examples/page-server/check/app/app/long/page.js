// About 67 KB, half of it the data that React takes the page over with.
const rows = Array.from({ length: 164 }, (_, row) => `The ${row}. thing that is to be said about a page of this size, at some length and in plain words.`);

export default function Long() {
  return <main><h1>Long</h1><ul>{rows.map((text) => <li key={text} className="row">{text}</li>)}</ul></main>;
}
