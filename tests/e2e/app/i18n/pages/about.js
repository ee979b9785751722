import { pageOf } from '../lib/page';

export const getStaticProps = ({ locale }) => pageOf(`about/${locale}`);

export { default } from '../lib/page';
