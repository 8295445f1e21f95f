/**
 * Judges many certificates and responses in which something was changed:
 *
 *     npm run mutations -- [COUNT] [SEED]
 *
 * Exits with 1 where one was accepted, or anything but a refusal happened.
 */
import { mutate } from "./Mutation.ts"

const [count = "20000", seed = "long"] = process.argv.slice(2)
const start = performance.now()
const { judged, violations } = mutate(seed, Number(count))
for (const line of violations) console.error(line)
console.log(
  `${judged} mutations judged in ${((performance.now() - start) / 1000).toFixed(1)} s, ${violations.length} wrong`
)
process.exitCode = violations.length === 0 ? 0 : 1
