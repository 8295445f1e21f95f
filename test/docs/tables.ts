import { descriptionCode, type KnownDescription } from "../../src/alert/Alert.ts"
import { answer } from "../../src/alert/Answer.ts"
import { defaultBudget } from "../../src/alert/Budget.ts"
import { entries } from "../../src/alert/Catalogue.ts"
import { type ClosureEvent, type ClosureState, parting, type ScopeEnd, transition } from "../../src/alert/Closure.ts"
import { Fault } from "../../src/alert/Fault.ts"
import { judge, type Verdict } from "../../src/alert/Verdict.ts"
import { defaultLimits } from "../../src/service/TlsConfig.ts"
import { defaultLimits as judgementLimits } from "../../src/x509/Budget.ts"
import { cases as limboCases, departures as limboDepartures, isAsExpected, run as runLimbo } from "../x509/Limbo.ts"

/** A table in Markdown, in columns as the formatter has them. A bar inside a cell would end it. */
const table = (head: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const cells = [head, ...rows].map((row) => row.map((cell) => cell.replaceAll("|", "\\|")))
  const widths = head.map((_, column) => Math.max(3, ...cells.map((row) => row[column]?.length ?? 0)))
  const line = (row: ReadonlyArray<string>, fill: string) =>
    `| ${widths.map((width, column) => (row[column] ?? "").padEnd(width, fill)).join(" | ")} |`
  const [first = [], ...others] = cells
  return [line(first, " "), line([], "-"), ...others.map((row) => line(row, " "))].join("\n")
}

const catalogue = (): string =>
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

/** Every fault, and what answers it. Only the tag decides, but for the judgement of the application, which names its alert. */
const answers = (): ReadonlyArray<readonly [Fault["_tag"], string]> =>
  Object.entries(Fault.cases).flatMap(([tag, fault]) => {
    const alerts = "alert" in fault.fields ? fault.fields.alert.literals : [undefined]
    return alerts.map((alert) =>
      [
        // A fault with the fields that `answer` looks at, and no others.
        tag as Fault["_tag"],
        answer({ _tag: tag, alert } as Fault, "1.2")
      ] as const
    )
  })

const withoutFault: { readonly [Name in KnownDescription]?: string } = {
  close_notify: "the end of the scope, `close`, `closeWrite`, and as the answer to the peer's",
  user_canceled: "a handshake that is interrupted or out of time, as a warning before close_notify",
  no_renegotiation: "HelloRequest, or a ClientHello on the open connection, as a warning"
}

const raised = (): string => {
  const all = answers()
  return table(
    ["code", "alert", "raised here by"],
    [
      ...descriptionsOf12,
      "inappropriate_fallback" as const,
      "unrecognized_name" as const,
      "bad_certificate_status_response" as const,
      "no_application_protocol" as const
    ]
      .map((name) => {
        const faults = all.filter(([, alert]) => alert === name).map(([tag]) => `\`${tag}\``)
        const by = withoutFault[name] ?? (faults.length > 0 ? faults.join(", ") : "never")
        return [String(descriptionCode(name)), `\`${name}\``, by]
      })
  )
}

const verdictText = (verdict: Verdict): string => {
  switch (verdict._tag) {
    case "EndOfData":
      return verdict.forgets ? "end of data, session forgotten" : "end of data"
    case "Tolerate":
      return "tolerated on budget"
    case "Terminate":
      return "terminates"
    case "Protest":
      return `protest: \`${answer(verdict.fault, "1.2")}\``
  }
}

/** The verdict of every description of a group, which must be one. */
const verdictOf = (
  version: "1.2" | "1.3",
  level: number | "warning" | "fatal",
  group: ReadonlyArray<number | KnownDescription>
) => {
  const texts = new Set(
    group.map((description) =>
      verdictText(judge({ version, phase: "established", budget: defaultBudget, limits: defaultBudget }, {
        level,
        description
      }))
    )
  )
  if (texts.size !== 1) throw new Error(`the verdicts of one group differ: ${[...texts].join(" / ")}`)
  return [...texts].join("")
}

const verdicts = (): string => {
  const named = entries.flatMap(({ name }) =>
    name === "unknown_alert" || name === "close_notify" || name === "user_canceled" ? [] : [name]
  )
  const groups: ReadonlyArray<readonly [string, ReadonlyArray<number | KnownDescription>]> = [
    ["`close_notify`", ["close_notify"]],
    ["`user_canceled`", ["user_canceled"]],
    ["any other of the registry", named],
    ["a code without a name", [1, 77, 200, 255]]
  ]
  return table(
    ["alert", "1.2, warning", "1.2, fatal", "1.2, any other level", "1.3, any level"],
    groups.map(([name, group]) => [
      name,
      verdictOf("1.2", "warning", group),
      verdictOf("1.2", "fatal", group),
      verdictOf("1.2", 3, group),
      verdictOf("1.3", "fatal", group)
    ])
  )
}

const states: ReadonlyArray<ClosureState> = ["Open", "CloseSent", "CloseReceived", "Closed", "Truncated", "Failed"]
const events: ReadonlyArray<readonly [ClosureEvent, string]> = [
  ["close", "we close"],
  ["close_notify", "close_notify comes"],
  ["transport end", "the transport ends"],
  ["fault", "we find a fault"],
  ["fatal alert", "a fatal alert comes"]
]

const closure = (): string => {
  const cell = (version: "1.2" | "1.3", state: ClosureState, event: ClosureEvent): string => {
    const to = transition(version, state, event)
    if (to.state === state && to.steps.length === 0) return "stays"
    return [to.state === state ? "stays" : `**${to.state}**`, ...to.steps].join(", ")
  }
  return table(
    ["state", ...events.map(([, title]) => title)],
    states.map((state) => [
      `\`${state}\``,
      ...events.map(([event]) => {
        const [in12, in13] = [cell("1.2", state, event), cell("1.3", state, event)]
        return in12 === in13 ? in12 : `1.2: ${in12}; 1.3: ${in13}`
      })
    ])
  )
}

const ends: ReadonlyArray<ScopeEnd> = ["success", "failure", "interruption", "timeout", "defect"]

const goodbye = (): string =>
  table(
    ["the scope ends by", "in a handshake, before any record", "in a handshake", "on the open connection"],
    ends.map((end) => {
      const said = (phase: "handshaking" | "established", anyRecordPassed: boolean) =>
        parting("Open", phase, end, { anyRecordPassed, onFailure: "close_notify" })
      return [
        end,
        said("handshaking", false),
        said("handshaking", true),
        end === "failure" ? "`close_notify`, or `internal_error` by policy" : said("established", true)
      ]
    })
  )

const limits = (): string => {
  const shown = (value: unknown): string => typeof value === "number" ? String(value) : "see the source"
  const counted: ReadonlyArray<readonly [keyof typeof defaultLimits, string, string]> = [
    ["warnings", "warning alerts in a row", answer({ _tag: "AlertFlood", limit: 0 }, "1.2")],
    ["emptyRecords", "empty application data records in a row", answer({ _tag: "EmptyRecordFlood", limit: 0 }, "1.2")],
    ["renegotiations", "requests to renegotiate", answer({ _tag: "RenegotiationFlood", limit: 0 }, "1.2")],
    [
      "handshakeMessage",
      "bytes of a handshake message but Certificate",
      answer({ _tag: "MessageTooLong", message: "", length: 0, limit: 0 }, "1.2")
    ],
    [
      "certificateChain",
      "bytes of a Certificate message",
      answer({ _tag: "CertificateChainTooLong", length: 0, limit: 0 }, "1.2")
    ],
    ["handshake", "bytes of all handshake messages of the peer", answer({ _tag: "HandshakeTooLong", limit: 0 }, "1.2")]
  ]
  return table(
    ["option of `limits`", "what it counts", "default", "then"],
    counted.map(([option, what, alert]) => [`\`${option}\``, what, shown(defaultLimits[option]), `\`${alert}\``])
  )
}

/** Every fault of a certificate, and what answers it. */
const refusals = (): string => {
  const all = answers().filter(([tag]) => tag.startsWith("Certificate"))
  const tags = [...new Set(all.map(([tag]) => tag))]
  const alertsOf = (tag: string) => all.filter(([other]) => other === tag).map(([, alert]) => `\`${alert}\``).join(", ")
  return table(
    ["fault", "alert in TLS 1.2"],
    tags.map((tag) => [`\`${tag}\``, alertsOf(tag)])
  )
}

/** What became of x509-limbo, by the groups of its names. */
const limbo = (): string => {
  const verdicts = limboCases.map(runLimbo)
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

const departures = (): string =>
  table(
    ["case", "the suite", "here", "why"],
    limboCases.map(runLimbo).filter((verdict) => !isAsExpected(verdict)).map(({ expected, id, isAccepted }) => [
      `\`${id}\``,
      `${expected}s`,
      isAccepted ? "accepted" : "refused",
      limboDepartures[id] ?? ""
    ])
  )

const costs = (): string => {
  const what: { readonly [Name in keyof typeof judgementLimits]: string } = {
    certificates: "certificates in the chain as sent",
    bytes: "bytes of the chain as sent, and of a stapled status",
    intermediates: "certificates between the leaf and the anchor; then `unknown_ca`",
    candidates: "candidates that are looked at while a path is built",
    signatures: "signatures, one with RSA-4096 or Ed25519 counting for 3, RSA-8192 for 8, P-384 for 16, P-521 for 32",
    comparisons: "names that are held against a name constraint"
  }
  return table(
    ["option of `limits`", "what it counts", "default"],
    // The keys of the literal are exactly the limits; `Object.entries` widens them.
    (Object.entries(what) as ReadonlyArray<[keyof typeof judgementLimits, string]>).map(([option, text]) => [
      `\`${option}\``,
      text,
      String(judgementLimits[option])
    ])
  )
}

/** What stands between `<!-- generated: NAME -->` and `<!-- end -->` in the documentation. */
export const tables: Readonly<Record<string, () => string>> = {
  catalogue,
  raised,
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

/** The page with every generated block as it should be. */
export const regenerate = (page: string): string =>
  page.replaceAll(block, (_, head: string, name: string, end: string) => {
    const make = tables[name]
    if (make === undefined) throw new Error(`there is no generated table ${name}`)
    return `${head}\n${make()}\n${end}`
  })
