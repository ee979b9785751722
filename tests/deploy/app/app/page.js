import { stamp } from '../stamp';

export default async function Home() {
  return <main data-made-at={await stamp()}>A page, made by the build.</main>;
}
