const euros = new Intl.NumberFormat('en-IE', { style: 'currency', currency: 'EUR' });

export const money = (cents: number) => euros.format(cents / 100);
export const day = (iso: string) => new Intl.DateTimeFormat('en-IE', { dateStyle: 'long', timeZone: 'UTC' }).format(new Date(iso));
