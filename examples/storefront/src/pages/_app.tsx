import type { AppProps } from 'next/app';
import Head from 'next/head';
import Link from 'next/link';
import '@/styles.css';

export default function App({ Component, pageProps }: AppProps) {
  return (
    <>
      <Head><title>Alder &amp; Birk</title></Head>
      <header><Link href="/" className="logo">Alder &amp; Birk</Link></header>
      <main><Component {...pageProps} /></main>
    </>
  );
}
