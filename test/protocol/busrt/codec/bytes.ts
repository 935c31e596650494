/** `eb 01 "abc" 00`: bytes in hexadecimal, and text between quotes. */
export const bytes = (text: string): Buffer =>
  Buffer.concat(
    [...text.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, hex]) =>
      quoted === undefined ? Buffer.from(hex!, "hex") : Buffer.from(quoted),
    ),
  )

/** The same, as the codec gives it: without anything of Node's. */
export const plain = (text: string): Uint8Array => new Uint8Array(bytes(text))
