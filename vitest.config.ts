/** Tests among the examples import "millrace" by name, and mean the sources of this checkout. */
import { defineConfig } from "vitest/config"

export default defineConfig({
  // The last three are vite's own, which a list replaces.
  ssr: { resolve: { conditions: ["millrace-source", "module", "node", "development|production"] } },
})
