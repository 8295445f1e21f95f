import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { stripVTControlCharacters } from "node:util"
import { fileURLToPath } from "node:url"
import { makeStory } from "../../docs/examples/tour/Story.ts"
import { unpainted } from "../../src/cli/Ladder.ts"
import { spawnPeer } from "../harness/Process.ts"

const main = fileURLToPath(new URL("../../docs/examples/tour/main.ts", import.meta.url))

/** `before` is JavaScript that runs before the tour begins. */
const tour = (env: Readonly<Record<string, string>>, before = "") =>
  Effect.gen(function*() {
    const first = ["--import", `data:text/javascript,${encodeURIComponent(before)}`]
    const process_ = yield* spawnPeer(process.execPath, ["--conditions=source", ...first, main], { env })
    const code = yield* process_.exit
    return { code, stdout: process_.stdout, stderr: process_.stderr }
  })

const scenarios: ReadonlyArray<readonly [title: RegExp, seen: ReadonlyArray<RegExp>]> = [
  [/^1\. A full handshake, and a clean close /, [
    /◀── Certificate /,
    /◀══ alert warning close_notify/,
    /✓ our side: TLS 1\.2, \w+, full handshake/,
    /✓ .* a clean end, the closure is Closed/
  ]],
  [/^2\. A resumed handshake /, [/✓ our side: TLS 1\.2, \w+, resumed/, /✓ node:tls: session reused/]],
  [/^3\. A record is tampered with /, [
    /═══ alert fatal bad_record_mac \(20\) ═/,
    /✓ our side: AlertSent BadRecordMac, fault BadRecordMac/,
    /✓ node:tls: ERR_SSL_\S+_ALERT_BAD_RECORD_MAC/,
    /✓ sessions offered: 1 before the alert, 0 after it/,
    /✓ the next handshake: full/
  ]],
  [/^4\. A certificate that is not trusted /, [
    /─── alert fatal unknown_ca \(48\) ─/,
    /✓ our side: AlertSent UnknownCa, fault CertificateUntrusted/,
    /✓ node:tls: ERR_SSL_TLSV1_ALERT_UNKNOWN_CA/
  ]],
  [/^5\. A truncation /, [
    /✓ our side, after "pong": Truncated, by fin, after 4 bytes/,
    /✓ the next handshake: resumed/
  ]],
  [/^6\. The other way round, and a clean close by the client /, [/✓ our side: a clean end, the closure is Closed/]],
  [/^7\. The client resumes /, [/✓ node:tls: session reused/]],
  [/^8\. A record of the client is tampered with /, [
    /◀══ alert fatal bad_record_mac \(20\) ═/,
    /✓ our side: AlertSent BadRecordMac, fault BadRecordMac/,
    /✓ node:tls: ERR_SSL_\S+_ALERT_BAD_RECORD_MAC/
  ]],
  [/^9\. The client offers that session again /, [
    /✓ our side: TLS 1\.2, \w+, full handshake/,
    /✓ node:tls: session new/
  ]],
  [/^10\. TLS 1\.3: both directions close, each on its own /, [
    /◀══ Certificate /,
    /═══ alert warning close_notify \(0\) [^]*◀══ application_data, 4 bytes [^]*◀══ alert warning close_notify/,
    /✓ our side: TLS 1\.3, TLS_\w+, full handshake, group /,
    /✓ closure after our close_notify: CloseSent; then still "pong"/,
    /✓ .* a clean end, the closure is Closed/
  ]],
  [/^11\. TLS 1\.3: a ticket, used once /, [/✓ our side: TLS 1\.3, TLS_\w+, resumed/, /✓ node:tls: session reused/]],
  [/^12\. TLS 1\.3: a record is tampered with /, [
    /═══ alert fatal bad_record_mac \(20\) ═+ 24 bytes, protected ══▶/,
    /✓ our side: AlertSent BadRecordMac, fault BadRecordMac/,
    /✓ node:tls: ERR_SSL_\S+_ALERT_BAD_RECORD_MAC/
  ]],
  [/^13\. TLS 1\.3: a verdict that comes late /, [
    /◀══ alert fatal certificate_required \(116\)/,
    /✓ our side: AlertReceived CertificateRequired/
  ]]
]

describe("the tour", () => {
  it.live("shows each scenario, and ends well", () =>
    Effect.gen(function*() {
      const { code, stderr, stdout } = yield* tour({ FORCE_COLOR: "0" })
      assert.deepStrictEqual([code, stderr], [0, ""], stdout)
      assert.notInclude(stdout, "\u001b")
      assert.notInclude(stdout, "✗")
      const chapters = stdout.split(/\n\n(?=\d+\. )/).slice(1)
      assert.strictEqual(chapters.length, scenarios.length)
      for (const [index, [title, seen]] of scenarios.entries()) {
        for (const pattern of [title, ...seen]) assert.match(chapters[index] ?? "", pattern)
      }
      assert.match(stdout, /\nAll \d+ checks hold, after [\d.]+ seconds\.\n$/)
      assert.deepStrictEqual(stdout.split("\n").filter((line) => line.length > 90), [])
    }))

  it.live("has colours where they are wanted, around the same text", () =>
    Effect.gen(function*() {
      const { code, stdout } = yield* tour({ FORCE_COLOR: "1" })
      assert.strictEqual(code, 0)
      assert.match(stdout, /\u001b\[32m✓\u001b\[39m/)
      assert.match(stripVTControlCharacters(stdout), /\n {2}✓ our side: AlertSent BadRecordMac/)
    }))

  it.live.each(
    [
      [
        "a check that does not hold",
        "import { TLSSocket } from 'node:tls'; TLSSocket.prototype.isSessionReused = () => false",
        "node:tls: session new"
      ],
      [
        "scenarios that break off",
        "import { Server } from 'node:net'; Server.prototype.listen = () => { throw new Error('no port is free') }",
        "it broke off: Error: no port is free"
      ]
    ] as const
  )("ends with exit code 1 after %s", ([_why, before, seen]) =>
    Effect.gen(function*() {
      const { code, stdout } = yield* tour({ FORCE_COLOR: "0" }, before)
      assert.strictEqual(code, 1, stdout)
      assert.include(stdout, `\n  ✗ ${seen}\n`)
      const failed = stdout.match(/^ {2}✗ /gm)?.length
      const all = stdout.match(/^ {2}[✓✗] /gm)?.length
      assert.match(stdout, new RegExp(`\\n${failed} of ${all} checks do not hold\\.\\n$`))
    }))

  it("counts what does not hold", () => {
    const lines: Array<string> = []
    const story = makeStory(unpainted, (line) => lines.push(line))
    story.check("as it should be", true)
    story.check("something else", false)
    assert.deepStrictEqual(lines, ["  ✓ as it should be", "  ✗ something else"])
    assert.deepStrictEqual(story.checks(), { passed: 1, failed: 1 })
  })
})
