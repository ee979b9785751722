import { pageOf } from '../lib/props';

export const getStaticProps = ({ locale }) => pageOf(`home/${locale}`);

export { default } from '../lib/page';
