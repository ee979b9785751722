import { pageOf } from '../lib/props';

export const getStaticProps = ({ locale }) => pageOf(`about/${locale}`);

export { default } from '../lib/page';
