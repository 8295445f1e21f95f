/** The tables of docs/trust.md. */
import * as Record from "effect/Record"
import { defaultLimits, type Limits } from "../../src/x509/Budget.ts"
import { faultOf } from "../alert/faults.ts"
import { cases, departures as reasons, isAsExpected, run } from "../x509/Limbo.ts"
import { answered, answers } from "./answers.ts"
import { table } from "./markdown.ts"

/** Every fault of a certificate, and what answers it in TLS 1.2. */
export const refusals = (): string => {
  const all = answers.filter(({ only, tag }) => tag.startsWith("Certificate") && only !== "1.3")
  const alertsOf = Map.groupBy(all, ({ tag }) => tag)
  return table(
    ["fault", "alert in TLS 1.2"],
    [...alertsOf].map(([tag, of]) => [`\`${tag}\``, of.map(({ alert }) => `\`${alert}\``).join(", ")])
  )
}

/** What became of x509-limbo, by the groups of its names. */
export const limbo = (): string => {
  const verdicts = cases.map(run)
  const groupOf = (id: string) => id.split("::").slice(0, -1).join("::")
  const groups = [...Map.groupBy(verdicts, ({ id }) => groupOf(id))].toSorted(([a], [b]) => a < b ? -1 : 1)
  const row = (name: string, of: typeof verdicts): ReadonlyArray<string> => {
    const count = (keep: (verdict: typeof of[number]) => boolean) => String(of.filter(keep).length)
    return [
      name,
      String(of.length),
      count(isAsExpected),
      count((verdict) => !isAsExpected(verdict) && verdict.isAccepted),
      count((verdict) => !isAsExpected(verdict) && !verdict.isAccepted)
    ]
  }
  return table(
    ["group", "cases", "as expected", "accepted, expected to be refused", "refused, expected to be accepted"],
    [...groups.map(([group, of]) => row(`\`${group}\``, of)), row("all", verdicts)]
  )
}

/** The others, in the order of the reasons: some of those are "the same" as the one above. */
export const departures = (): string =>
  table(
    ["case", "expected to be", "here", "why"],
    cases.map(run).filter((verdict) => !isAsExpected(verdict)).toSorted((a, b) => a.id < b.id ? -1 : 1).map((
      { expected, id, isAccepted }
    ) => [
      `\`${id}\``,
      expected === "accept" ? "accepted" : "refused",
      isAccepted ? "accepted" : "refused",
      reasons[id] ?? ""
    ])
  )

const counted: { readonly [Option in keyof Limits]: string } = {
  certificates: "certificates in the chain as sent",
  bytes: "bytes of the chain as sent, and of a stapled status",
  intermediates: "certificates between the leaf and the anchor",
  candidates: "candidates that are looked at while a path is built",
  signatures: "signatures, one with RSA-4096 or Ed25519 counting for 3, RSA-8192 for 8, P-384 for 16, P-521 for 32",
  comparisons: "names that are held against a name constraint"
}

export const costs = (): string =>
  table(
    ["option of `limits`", "what it counts", "default", "then"],
    Record.toEntries(counted).map(([option, what]) => [
      `\`${option}\``,
      what,
      String(defaultLimits[option]),
      answered(faultOf(option === "intermediates" ? "CertificatePathTooLong" : "CertificateTooCostly"))
    ])
  )
