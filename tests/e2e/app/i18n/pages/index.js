import { pageOf } from '../lib/page';

export const getStaticProps = ({ locale }) => pageOf(`home/${locale}`);

export { default } from '../lib/page';
