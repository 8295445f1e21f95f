/** For whom `--session FILE` is offered: RFC 8446 section 4.6.1. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { openSslServer } from "../harness/OpenSsl.ts"
import { peerSuite } from "../harness/PeerSuite.ts"
import { pkiFiles } from "../harness/PkiFiles.ts"
import { runToEnd } from "./Command.ts"

/** A server whose certificate is for other.example alone and that resumes for any name, and a client with a file. */
const setting = Effect.fnUntraced(function*(version: "1.2" | "1.3") {
  const files = yield* pkiFiles("wrongHost")
  const server = yield* openSslServer({ ...files.of("wrongHost"), mode: "www", version: "both" })
  const file = join(files.directory, "session.json")
  const run = (serverName: string) =>
    Effect.map(
      runToEnd(
        [
          ["connect", `127.0.0.1:${server.port}`, "--ca", files.ca, "--tls", version],
          ["--session", file, "--server-name", serverName]
        ].flat(),
        "GET / HTTP/1.0\r\n\r\n"
      ),
      ({ code, stderr }) => ({ code, stderr, handshake: /full handshake|resumed/.exec(stderr)?.[0] })
    )
  return { file, run }
})

const good = "other.example"

peerSuite("openssl", (it) => {
  it.live.each(["1.2", "1.3"] as const)(
    "TLS %s: not for a name that its certificate is not for",
    (version) =>
      Effect.gen(function*() {
        const { file, run } = yield* setting(version)
        assert.deepInclude(yield* run(good), { code: 0, handshake: "full handshake" })
        assert.deepInclude(yield* run(good), { code: 0, handshake: "resumed" })
        for (const name of ["b.test", "127.0.0.1"]) {
          const refused = yield* run(name)
          assert.strictEqual(refused.code, 11, refused.stderr)
          assert.include(refused.stderr, `the session of ${file} is not offered: it was made with another peer`)
          assert.include(refused.stderr, `the certificate is not for ${name}`)
        }
        // It is another session that failed.
        assert.deepInclude(yield* run(good), { code: 0, handshake: "resumed" })
      })
  )

  it.live("a file that was written before the verified name was part of its key is not offered, and replaced", () =>
    Effect.gen(function*() {
      const { file, run } = yield* setting("1.3")
      assert.strictEqual((yield* run(good)).code, 0)
      const stored = JSON.parse(yield* Effect.promise(() => readFile(file, "utf8")))
      const [, ...old] = JSON.parse(stored.key.slice("client ".length))
      yield* Effect.promise(() => writeFile(file, JSON.stringify({ ...stored, key: `client ${JSON.stringify(old)}` })))
      const full = yield* run(good)
      assert.deepInclude(full, { code: 0, handshake: "full handshake" })
      assert.include(full.stderr, `warning: the session of ${file} is not offered: it was made with another peer`)
      assert.deepInclude(yield* run(good), { code: 0, handshake: "resumed" })
    }))
}, "the session file of effect-tls connect, against openssl")
