/** For next.config, around a configuration that has `cacheHandler`: under `next start`, and in servers
 * of a project's own, Next.js then takes the handler from where it need not be imported with every request.
 *  `module.exports = withDirectHandler({ cacheHandler: require.resolve('nextcache/cache-handler') })`
 *
 * Everywhere else, and where that cannot be, the configuration stays what it is. */
export function withDirectHandler<Config extends object, Context = any>(
  config: Config | PromiseLike<Config> | ((phase: string, context: Context) => Config | PromiseLike<Config>),
): (phase: string, context: Context) => Promise<Config>;
