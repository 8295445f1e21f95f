import { alertRecords, catalogue, raised, verdicts } from "./alertTables.ts"
import { costs, departures, limbo, refusals } from "./certificateTables.ts"
import { closure, goodbye, limits } from "./connectionTables.ts"

/** What stands between `<!-- generated: NAME -->` and `<!-- end -->` in the documentation. */
export const tables: Readonly<Record<string, () => string>> = {
  catalogue,
  raised,
  records: alertRecords,
  verdicts,
  closure,
  goodbye,
  limits,
  refusals,
  limbo,
  departures,
  costs
}

const block = /(<!-- generated: ([a-z]+) -->\n)[\s\S]*?(\n<!-- end -->)/g

/** The names of the tables that a page has. */
export const tablesOf = (page: string): ReadonlyArray<string> =>
  [...page.matchAll(block)].map(([, , name = ""]) => name)

/** The page with every generated block as it should be. */
export const regenerate = (page: string): string =>
  page.replaceAll(block, (_, head: string, name: string, end: string) => {
    const make = tables[name]
    if (make === undefined) throw new Error(`there is no generated table ${name}`)
    return `${head}\n${make()}\n${end}`
  })
