import { marks } from '../lib/mark';

export default function Home() {
  return <main data-page="home" {...marks({ value: 'home' })}>home</main>;
}
