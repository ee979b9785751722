// The catalogue: tagged fetches. Their tags:
//   products          everything that shows a product
//   product-lists     every page or answer that shows many
//   product:<slug>    everything that shows this one in full
import { cachedResource, freshResource } from './backend';
import type { Category, CategoryWithProducts, Product, ProductCard, SkuSheet } from './types';

export const LIST_TAGS = ['products', 'product-lists'];
export const productTags = (slug: string) => ['products', `product:${slug}`];

export async function getCategories() {
  return (await cachedResource<Category[]>('/categories', LIST_TAGS)) ?? [];
}

export function getCategory(slug: string) {
  return cachedResource<CategoryWithProducts>(`/categories/${encodeURIComponent(slug)}`, LIST_TAGS);
}

export async function getProducts() {
  return (await cachedResource<ProductCard[]>('/products', LIST_TAGS)) ?? [];
}

export async function getFeatured() {
  return (await cachedResource<ProductCard[]>('/products?featured', LIST_TAGS)) ?? [];
}

export function getProduct(slug: string) {
  return cachedResource<Product>(`/products/${encodeURIComponent(slug)}`, productTags(slug));
}

/** The data sheet of one variant of a product; null when it is another's. */
export async function getSku(slug: string, sku: string) {
  const sheet = await cachedResource<SkuSheet>(`/skus/${encodeURIComponent(sku)}`, productTags(slug));
  return sheet?.product.slug === slug ? sheet : null;
}

/** Searching is never cached: there is no end to what people type. */
export async function searchProducts(query: string) {
  return (await freshResource<ProductCard[]>(`/search?q=${encodeURIComponent(query)}`)) ?? [];
}
