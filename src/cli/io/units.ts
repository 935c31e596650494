/**
 * Figures for people: short, and of about the same width whatever their size. What is not known is a dash.
 */

type Figure = number | undefined

const unknown = "–"

const digits = (value: number): string =>
  value >= 100 || Number.isInteger(value) ? Math.round(value).toLocaleString("en") : value.toFixed(value < 10 ? 2 : 1)

export const count = (value: Figure): string => (value === undefined ? unknown : digits(value))

export const rate = (value: Figure): string => (value === undefined ? unknown : `${digits(value)}/s`)

const byteUnits = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"]

export const bytes = (value: Figure): string => {
  if (value === undefined) return unknown
  let unit = 0
  let size = value
  while (size >= 1024 && unit < byteUnits.length - 1) {
    size /= 1024
    unit += 1
  }
  return `${unit === 0 ? Math.round(size) : digits(Number(size.toPrecision(3)))} ${byteUnits[unit]}`
}

/** A short while, of seconds: `1.80 ms`. */
export const millis = (seconds: Figure): string => {
  if (seconds === undefined) return unknown
  return seconds >= 1 ? `${digits(Number(seconds.toPrecision(3)))} s` : `${digits(seconds * 1000)} ms`
}

/** A long while, of seconds, in its two largest units: `3 d 4 h`. */
export const age = (seconds: Figure): string => {
  if (seconds === undefined) return unknown
  const whole = Math.floor(seconds)
  if (whole < 60) return `${whole} s`
  if (whole < 3600) return `${Math.floor(whole / 60)} m ${whole % 60} s`
  if (whole < 86_400) return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} m`
  return `${Math.floor(whole / 86_400)} d ${Math.floor((whole % 86_400) / 3600)} h`
}
