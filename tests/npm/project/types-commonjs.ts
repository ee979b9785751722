import * as nextcache from 'nextcache';

export const opened: boolean = nextcache.open({ dir: '.cache' });
