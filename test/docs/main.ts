/** `npm run docs`: fills in the generated tables of the documentation. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { regenerate } from "./tables.ts"

const folder = new URL("../../docs/", import.meta.url)
for (const name of readdirSync(folder)) {
  if (!name.endsWith(".md")) continue
  const file = new URL(name, folder)
  const page = readFileSync(file, "utf8")
  const fresh = regenerate(page)
  if (fresh !== page) writeFileSync(file, fresh)
}
