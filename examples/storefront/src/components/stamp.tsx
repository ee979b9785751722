/** When this part of the page was made: the age of what is shown, for the
 *  reader and for the check. Belongs inside what is cached. */
export function Stamp({ what }: { what: string }) {
  const now = new Date();
  return (
    <p className="stamp">
      {what} as of <time data-made-at={now.getTime()} dateTime={now.toISOString()}>{now.toISOString().slice(0, 19).replace('T', ' ')}</time> UTC
    </p>
  );
}
