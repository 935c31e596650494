/** `eb 01 "abc" 00`: bytes in hexadecimal, and text between quotes. */
export const bytes = (text: string): Buffer =>
  Buffer.concat(
    [...text.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, hex]) =>
      quoted === undefined ? Buffer.from(hex!, "hex") : Buffer.from(quoted),
    ),
  )
