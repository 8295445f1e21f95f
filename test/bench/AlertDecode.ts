import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Alert from "../../src/alert/Alert.ts"
import type { Line } from "./Line.ts"
import { timed } from "./Meter.ts"

const budget = 100

const decode = Schema.decodeUnknownSync(Alert.AlertFromBytes)

/** An alert in the clear, as one of two bytes after the other. `node:tls` has nothing to compare with: 100 ns is the budget. */
export const alertLine: Line = {
  name: "alert decode",
  unit: "alert",
  measures: ["cpu", "wall"],
  goal: 1,
  open: (scale) =>
    Effect.sync(() => {
      const count = Math.max(1000, Math.round(1_000_000 * scale))
      const bytes = Array.from({ length: 256 }, (_, code) => Uint8Array.of(1 + (code & 1), code))
      let fatal = 0
      const each = (take: (bytes: Uint8Array) => Alert.Alert) =>
        timed(
          count,
          Effect.sync(() => {
            for (let i = 0; i < count; i++) {
              const alert = take(bytes[i & 255] ?? Uint8Array.of(0, 0))
              // What is not looked at, the compiler leaves out.
              if (alert.level === "fatal") fatal++
            }
          })
        )
      return [
        { name: "fromBytes", part: "ours", run: each((bytes) => Alert.fromBytes(bytes[0] ?? 0, bytes[1] ?? 0)) },
        { name: "Schema codec", part: "ours", run: each((bytes) => decode(bytes)) },
        { name: `budget of ${budget} ns`, part: "reference", run: Effect.succeed({ cpu: budget, wall: budget }) }
      ]
    })
}
