/** The registry of alerts, as test/vectors keeps it. */
import { readVectors } from "../platform/vectors.ts"

export interface Registered {
  readonly value: number
  readonly name: string
  readonly status: "assigned" | "reserved"
  readonly references: ReadonlyArray<string>
  readonly versions: ReadonlyArray<string>
}

interface Unassigned {
  readonly from: number
  readonly to: number
  readonly status: "unassigned"
}

const rows = readVectors<{ readonly alerts: ReadonlyArray<Registered | Unassigned> }>("alert-registry.json").alerts

export const registered = rows.filter((row) => row.status !== "unassigned")

export const unassigned: ReadonlyArray<number> = rows.flatMap((row) =>
  row.status === "unassigned" ? Array.from({ length: row.to - row.from + 1 }, (_, index) => row.from + index) : []
)

export const registeredName = (code: number): string | undefined => registered.find((row) => row.value === code)?.name

export const everyByte: ReadonlyArray<number> = Array.from({ length: 256 }, (_, byte) => byte)
