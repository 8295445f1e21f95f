import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { execFile } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { NodeCertificate } from "../../src/platform/NodeCertificate.ts"
import { make as primitives } from "../../src/platform/NodePrimitives.ts"
import { Primitives } from "../../src/secret/Primitives.ts"
import * as TlsTest from "../../src/TlsTest.ts"
import { jobOf } from "./Jobs.ts"
import { readSample } from "./Sample.ts"

const inputs = readSample()
const seen = new Set<string>()

describe("every input of the sample ends in success, a clean close, or one failure with at most one fatal alert", () => {
  for (const corpus of new Set(inputs.map(({ corpus }) => corpus))) {
    it(corpus, async () => {
      const violations: Array<string> = []
      for (const input of inputs) {
        if (input.corpus !== corpus) continue
        const job = jobOf(input)
        const outcome = await job.run()
        for (const part of outcome.label.split(" | ")) seen.add(part)
        violations.push(...outcome.violations.map((what) => `${job.name}, ${job.target}: ${what}`))
      }
      assert.deepStrictEqual(violations, [])
    })
  }

  it("and they do not all end alike", () => {
    const starts = ["clean", "Truncated", "AlertReceived", "HandshakeAborted close_notify", "AlertSent", "decoded"]
    for (const start of starts) assert.isTrue([...seen].some((label) => label.startsWith(start)), start)
    assert.isAbove(seen.size, 50)
  })
})

describe("what the whole corpora brought to light", () => {
  // "Bad time value" to OpenSSL; Node has uninitialised memory for such a time, and compares with it.
  it("a certificate whose validity cannot be read is refused", async () => {
    const { der } = await Effect.runPromise(
      Effect.provideService(TlsTest.identity("server.test", 1), Primitives, primitives)
    )
    assert.isDefined(NodeCertificate.parse(der))
    for (
      const [time, unreadable] of [["700101000000Z", "701301000000Z"], ["99991231235959Z", "9999:231235959Z"]] as const
    ) {
      const at = Buffer.from(der).indexOf(time)
      assert.isAbove(at, 0)
      const broken = der.slice()
      broken.set(Buffer.from(unreadable), at)
      assert.isUndefined(NodeCertificate.parse(broken), unreadable)
    }
  })
})

describe("npm run corpora", () => {
  const script = new URL("./corpora.ts", import.meta.url).pathname
  const run = async (...args: ReadonlyArray<string>): Promise<{ readonly code: number; readonly out: string }> => {
    try {
      const { stdout } = await promisify(execFile)(process.execPath, ["--conditions=source", script, ...args])
      return { code: 0, out: stdout }
    } catch (failed) {
      if (!(failed instanceof Error && "code" in failed && "stdout" in failed)) throw failed
      return { code: Number(failed.code), out: String(failed.stdout) }
    }
  }

  it("walks a folder, says what it passes over, and sums up; what ran nothing has failed", async () => {
    const folder = mkdtempSync(join(tmpdir(), "corpora-"))
    try {
      assert.strictEqual((await run(folder)).code, 1)
      const rows = inputs.filter(({ corpus }) => corpus.endsWith("server_corpus.jsonl")).map(({ row }) => row)
      writeFileSync(join(folder, "server_corpus.jsonl"), rows.map((row) => `${JSON.stringify(row)}\n`).join(""))
      writeFileSync(join(folder, "notes.md"), "")
      const { code, out } = await run(folder, "--max", "3", "--mutations", "5")
      assert.strictEqual(code, 0)
      assert.include(out, "passed over: notes.md")
      // Three rows, each to the record layer, to a server in four ways and after a hello in four.
      assert.match(out, /^server_corpus\.jsonl +27 /m)
      assert.match(out, /^mutations +5 /m)
      assert.include(out, "32 runs, 0 violations")
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it("says how it is used", async () => {
    assert.strictEqual((await run()).code, 2)
  })
})
