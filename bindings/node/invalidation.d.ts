type Tags = string | readonly string[];
type Id = string | number;

/** What is invalidated: a tag, of which `<tag>:<id>` is one thing; tags; or a
 * function of what the helper is given after the reason. */
type Kind = Tags | ((...args: never[]) => Tags | Promise<Tags>);
type Arguments<K> = K extends (...args: infer A) => unknown ? A : K extends string ? [id?: Id] : [];

/** Where a helper was called. Next 14 and 15 do not tell the first two apart. */
export type Setting = 'server action' | 'route handler' | 'request' | 'proxy' | 'outside any request';

type Helpers<Kinds> = {
  [Name in keyof Kinds & string as `invalidate${Capitalize<Name>}Cache`]: (
    reason: string,
    ...args: Arguments<Kinds[Name]>
  ) => Promise<Setting>;
};

/** Helpers that invalidate what a site knows by name, in server actions, in
 * route handlers, in a proxy and outside of any request:
 *
 *   export const { invalidateCustomerCache, invalidateProductCache } = createInvalidation({
 *     customer: 'customer',
 *     product: (slug?: string) => (slug ? [`product:${slug}`, 'product-lists'] : 'products'),
 *   });
 *   await invalidateCustomerCache('changed the address', 7);   // the tag customer:7
 *
 * In all processes the next request sees it. The reason goes into the debug log
 * and into the list that `nextcache tags --reasons` and the dashboard show. */
export function createInvalidation<const Kinds extends Record<string, Kind>>(kinds: Kinds): Helpers<Kinds>;
