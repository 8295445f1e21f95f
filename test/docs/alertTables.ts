/** The tables of docs/alert-protocol.md about alerts: what they are, what raises them, what becomes of those that come. */
import { descriptionCode, fromBytes, type KnownDescription } from "../../src/alert/Alert.ts"
import type { Version } from "../../src/alert/Answer.ts"
import { defaultBudget } from "../../src/alert/Budget.ts"
import { entries, entryOf } from "../../src/alert/Catalogue.ts"
import { transition } from "../../src/alert/Closure.ts"
import type { Fault } from "../../src/alert/Fault.ts"
import { interruptedAlert, judge, type Phase, readAlertRecord, type Verdict } from "../../src/alert/Verdict.ts"
import { faultOf } from "../alert/faults.ts"
import { everyByte } from "../alert/registry.ts"
import { answered, answers } from "./answers.ts"
import { table, theOne } from "./markdown.ts"

export const catalogue = (): string =>
  table(
    ["code", "name", "level in 1.2", "in 1.3", "sent by", "means", "what to do", "try again"],
    entries.map((entry) => [
      String(entry.code),
      `\`${entry.name}\``,
      entry.levels["1.2"],
      entry.levels["1.3"],
      entry.sender,
      entry.meaning,
      entry.advice,
      entry.retry
    ])
  )

/** The descriptions of RFC 5246 section 7.2, in its order. */
const descriptionsOf12: ReadonlyArray<KnownDescription> = [
  "close_notify",
  "unexpected_message",
  "bad_record_mac",
  "decryption_failed_RESERVED",
  "record_overflow",
  "decompression_failure",
  "handshake_failure",
  "no_certificate_RESERVED",
  "bad_certificate",
  "unsupported_certificate",
  "certificate_revoked",
  "certificate_expired",
  "certificate_unknown",
  "illegal_parameter",
  "unknown_ca",
  "access_denied",
  "decode_error",
  "decrypt_error",
  "export_restriction_RESERVED",
  "protocol_version",
  "insufficient_security",
  "internal_error",
  "user_canceled",
  "no_renegotiation",
  "unsupported_extension"
]

const withoutFault: { readonly [Name in KnownDescription]?: string } = {
  close_notify: "the end of the scope, `close`, `closeWrite`, and as the answer to the peer's",
  user_canceled: "a handshake that is interrupted or out of time, as a warning before close_notify",
  no_renegotiation: "HelloRequest, or a ClientHello on the open connection, as a warning"
}

/** The 25 of RFC 5246, and whatever else answers a fault: no fault is in no row. */
export const raised = (): string => {
  const later = new Set(answers.map(({ alert }) => alert).filter((alert) => !descriptionsOf12.includes(alert)))
  return table(
    ["code", "alert", "raised here by"],
    [...descriptionsOf12, ...[...later].sort((a, b) => descriptionCode(a) - descriptionCode(b))].map((name) => {
      const faults = answers.filter(({ alert }) => alert === name)
        .map(({ only, tag }) => only === undefined ? `\`${tag}\`` : `\`${tag}\` (${only})`)
      const mark = entryOf(name).levels["1.2"] === "not defined" ? " (1.3)" : ""
      return [
        String(descriptionCode(name)),
        `\`${name}\`${mark}`,
        withoutFault[name] ?? (faults.length > 0 ? faults.join(", ") : "never")
      ]
    })
  )
}

const protest = (fault: Fault): string => `protest: ${answered(fault)}, for \`${fault._tag}\``

const recordContext = (version: Version) => ({ version, carry: undefined, unprotectedAfterProtected: false })

/** What is pending after a record of one byte. */
const half = (version: Version): number | undefined => {
  const read = readAlertRecord(recordContext(version), Uint8Array.of(1))
  return read._tag === "Alerts" ? read.carry : undefined
}

/** What becomes of a record of these bytes, before the alerts in it are judged. */
const read = (...bytes: ReadonlyArray<number>) => (version: Version): string => {
  const record = readAlertRecord(recordContext(version), Uint8Array.from(bytes))
  if (record._tag === "Protest") return protest(record.fault)
  const whole = record.alerts.length === 0 ? [] : [`${record.alerts.length} to judge`]
  return [...whole, ...record.carry === undefined ? [] : ["half of one, which waits"]].join(", and ")
}

const interrupted = (version: Version): string => {
  const fault = interruptedAlert(half(version), "handshake")
  return fault === undefined ? "-" : protest(fault)
}

const cut = (version: Version): string =>
  half(version) === undefined ? "-" : `\`${transition(version, "Open", "transport end").state}\``

const inTheClear = (): string => {
  const record = readAlertRecord({ ...recordContext("1.3"), unprotectedAfterProtected: true }, Uint8Array.of(2, 40))
  return record._tag === "Protest" ? protest(record.fault) : "read"
}

/** Rows 1 to 4 of the verdict table: the record that alerts come in. */
export const alertRecords = (): string => {
  const rows: ReadonlyArray<readonly [what: string, outcome: (version: Version) => string]> = [
    ["an empty record", read()],
    ["one alert, 2 bytes", read(1, 90)],
    ["several alerts, such as 4 bytes", read(1, 90, 2, 40)],
    ["half an alert, 1 byte", read(1)],
    ["an alert and a half, 3 bytes", read(1, 90, 1)],
    ["half an alert, then a record of another type", interrupted],
    ["half an alert, then the end of the transport", cut]
  ]
  return table(
    ["what comes", "1.2, and before the version is settled", "1.3"],
    [
      ...rows.map(([what, outcome]) => [what, theOne([outcome("1.2"), outcome("undecided")]), outcome("1.3")]),
      // In TLS 1.2 it is opened like every other record, and does not open.
      ["in the clear, after a protected record was opened", protest(faultOf("BadRecordMac")), inTheClear()]
    ]
  )
}

const verdictText = (verdict: Verdict): string => {
  switch (verdict._tag) {
    case "EndOfData":
      return verdict.forgets ? "end of data, session forgotten" : "end of data"
    case "Tolerate":
      return "tolerated"
    case "Terminate":
      return "terminates"
    case "Protest":
      return protest(verdict.fault)
  }
}

/** With the whole budget, and where it makes a difference, with none of it left. */
const judged = (version: Version, phase: Phase, level: number, code: number): string => {
  const verdict = (warnings: number) =>
    verdictText(
      judge({ version, phase, budget: { ...defaultBudget, warnings }, limits: defaultBudget }, fromBytes(level, code))
    )
  const [first, last] = [verdict(defaultBudget.warnings), verdict(0)]
  return first === last ? first : `${first}; with the budget spent ${last}`
}

/** The verdict of every alert of a group at every level of a column, which must be one, in both phases. */
const verdictOf = (
  versions: ReadonlyArray<Version>,
  levels: ReadonlyArray<number>,
  codes: ReadonlyArray<number>
): string =>
  theOne(
    versions.flatMap((version) =>
      phases.flatMap((phase) => levels.flatMap((level) => codes.map((code) => judged(version, phase, level, code))))
    )
  )

const phases: ReadonlyArray<Phase> = ["handshaking", "established"]
const until12: ReadonlyArray<Version> = ["1.2", "undecided"]

/** Rows 5 to 10 of the verdict table, over all 65,536 alerts. */
export const verdicts = (): string => {
  const closure = ["close_notify", "user_canceled"] as const
  const registered = entries.map(({ code }) => code)
  const codesOf = closure.map(descriptionCode)
  const groups: ReadonlyArray<readonly [string, ReadonlyArray<number>]> = [
    ...closure.map((name) => [`\`${name}\``, [descriptionCode(name)]] as const),
    ["any other of the registry", registered.filter((code) => !codesOf.includes(code))],
    ["a code without a name", everyByte.filter((code) => !registered.includes(code))]
  ]
  return table(
    ["alert", "1.2, warning (1)", "1.2, fatal (2)", "1.2, any other level", "1.3, any level"],
    groups.map(([name, codes]) => [
      name,
      verdictOf(until12, [1], codes),
      verdictOf(until12, [2], codes),
      verdictOf(until12, everyByte.filter((level) => level !== 1 && level !== 2), codes),
      verdictOf(["1.3"], everyByte, codes)
    ])
  )
}
