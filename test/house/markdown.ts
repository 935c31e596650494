/**
 * What the tests need to know of a Markdown file: its fenced blocks with the mark before each, its links, and its
 * headings as link targets.
 *
 * A mark is a comment on a line of its own before a block, `<!-- run -->` or `<!-- example: docs/examples/a.ts#region -->`.
 */

export interface Block {
  readonly language: string
  readonly text: string
  /** The line of its opening fence, from 1. */
  readonly line: number
  /** What the comment before it says. */
  readonly mark: string | undefined
  /** A ```text block that follows at once: what the commands of this one print. */
  readonly output: string | undefined
}

export const blocksOf = (markdown: string): ReadonlyArray<Block> => {
  const blocks: Array<Block> = []
  const fence = /^(?:<!-- ([^\n]+?) -->\n\n?)?```(\w*)\n([\s\S]*?)^```$/gm
  const output = /^\n*```text\n([\s\S]*?)^```$/my
  for (let found = fence.exec(markdown); found !== null; found = fence.exec(markdown)) {
    const [whole, mark, language = "", text = ""] = found
    const opening = markdown.slice(0, found.index + whole.indexOf("```"))
    output.lastIndex = fence.lastIndex + 1
    const [, printed] = output.exec(markdown) ?? []
    blocks.push({ language, text, mark, line: opening.split("\n").length, output: printed })
  }
  return blocks
}

/** Where links and pictures lead, blocks apart. */
export const linksOf = (markdown: string): ReadonlyArray<string> =>
  [...markdown.replace(/^```[\s\S]*?^```$/gm, "").matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = ""]) => target)

/** The anchors that a file's headings make. */
export const anchorsOf = (markdown: string): ReadonlySet<string> =>
  new Set(
    [...markdown.replace(/^```[\s\S]*?^```$/gm, "").matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) =>
      heading
        .toLowerCase()
        .replace(/[^\p{L}\p{N} _-]/gu, "")
        .replaceAll(" ", "-"),
    ),
  )

/** What an example file holds in a region, or all of it: without the comment in its first line. */
export const regionOf = (source: string, region: string | undefined): string | undefined => {
  if (region === undefined) return source.replace(/^\/\/.*\n/, "")
  const [, text] = new RegExp(`^(?://|#) #region ${region}\\n([\\s\\S]*?)^(?://|#) #endregion`, "m").exec(source) ?? []
  return text?.replace(/\n+$/, "\n")
}
