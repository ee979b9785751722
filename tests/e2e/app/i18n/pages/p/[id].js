import { pageOf } from '../../lib/props';

export const getStaticPaths = ({ locales }) => ({
  paths: locales.flatMap((locale) => ['one', 'late'].map((id) => ({ params: { id }, locale }))),
  fallback: 'blocking',
});

export const getStaticProps = ({ params: { id }, locale }) => pageOf(`page/${id}/${locale}`);

export { default } from '../../lib/page';
