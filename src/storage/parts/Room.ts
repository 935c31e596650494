/**
 * Who looks after the space that a database needs on its disk. Asked and told by `WriteTransaction`.
 */
export interface Room {
  /** Why nothing new is taken now, in a sentence, if so. Looks again from time to time whether there is space. */
  readonly refusal: () => string | undefined
  /** The database has found no space: what is kept in reserve is to be set free. */
  readonly ranOut: () => void
}
