/**
 * Prometheus text, read strictly: what is said of each metric, and its samples.
 */
export interface Family {
  readonly type: string
  readonly help: string
  /** By series, as written: `name{label="value"}`. */
  readonly samples: Map<string, number>
}

/** The metrics by name; throws where a line is none of the format, or a sample has no HELP and TYPE before it. */
export const read = (text: string): Map<string, Family> => {
  const families = new Map<string, Family>()
  let help: { readonly name: string; readonly text: string } | undefined
  let name = ""
  for (const line of text.split("\n").filter((line) => line !== "")) {
    const [, kind, of = "", rest = ""] = /^# (HELP|TYPE) ([a-z_:][a-z0-9_:]*) (.+)$/i.exec(line) ?? []
    if (kind === "HELP") help = { name: of, text: rest }
    else if (kind === "TYPE") {
      if (families.has(of)) throw new Error(`${of} comes twice`)
      if (help?.name !== of) throw new Error(`${of} has no HELP`)
      families.set((name = of), { type: rest, help: help.text, samples: new Map() })
    } else {
      const [, series, value] =
        /^([a-z_:][a-z0-9_:]*(?:\{(?:[a-z_]+="(?:[^"\\]|\\.)*",?)*\})?) (\S+)$/i.exec(line) ?? []
      if (series === undefined || !series.startsWith(name)) throw new Error(`not a sample of ${name}: ${line}`)
      families.get(name)!.samples.set(series, Number(value))
    }
  }
  return families
}
