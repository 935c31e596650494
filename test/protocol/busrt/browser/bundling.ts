/** One script of a program and all that it imports, as it is made for a page. */
import { fileURLToPath } from "node:url"
import { type OutputChunk, rolldown } from "rolldown"

export const pathOf = (fromRoot: string): string => fileURLToPath(new URL(`../../../../${fromRoot}`, import.meta.url))

/** @param entry a path from the project's root */
export const bundle = async (entry: string): Promise<OutputChunk> => {
  const build = await rolldown({
    input: pathOf(entry),
    platform: "browser",
    // Examples import "millrace/browser" by name, and mean the sources of this checkout.
    resolve: { conditionNames: ["millrace-source", "browser", "import"] },
    // What it would warn of is looked at by the tests.
    logLevel: "silent",
  })
  try {
    const { output } = await build.generate({ format: "esm", minify: true, codeSplitting: false })
    return output[0]
  } finally {
    await build.close()
  }
}
