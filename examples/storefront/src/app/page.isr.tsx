export { HomeView as default } from '@/components/home-view';

export const revalidate = 3600;
