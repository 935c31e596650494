/** A word as it is written on a command line, so that it can be copied there: quoted where a shell would read more into it. */
export const shellWord = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`
