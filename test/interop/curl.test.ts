import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { CipherSuite, type Connection } from "effect-tls"
import { peerSuite } from "../harness/PeerSuite.ts"
import { type LeafName, testCredential } from "../harness/Pki.ts"
import { pkiFiles } from "../harness/PkiFiles.ts"
import { spawnPeer } from "../harness/Process.ts"
import { groupNames, openSslGroup, openSslSuite, suiteNames, suiteNames13, type Version, versions } from "./Names.ts"
import { destroyTransport, ending, ourServer, type OurServerOptions, receivedAlert } from "./Ours.ts"

const page = "the page\n"

/** Answers a request. */
const answer = (connection: Connection, response: string) =>
  Effect.gen(function*() {
    let heard = ""
    while (!heard.endsWith("\r\n\r\n")) heard += Buffer.concat(yield* connection.pull).toString()
    yield* connection.write(new TextEncoder().encode(response))
  })

/** With a page whose end is the close. */
const answering = (connection: Connection) => answer(connection, `HTTP/1.0 200 OK\r\n\r\n${page}`)

const versionOnly: Readonly<Record<Version, ReadonlyArray<string>>> = {
  "1.2": ["--tlsv1.2", "--tls-max", "1.2"],
  "1.3": ["--tlsv1.3"]
}

interface CurlOptions {
  readonly root?: "ca" | "other"
  readonly identity?: LeafName
  readonly extra?: ReadonlyArray<string>
}

/** curl, to https://localhost/ at that port. */
const running = (version: Version, port: number, { extra = [], identity, root = "ca" }: CurlOptions = {}) =>
  Effect.gen(function*() {
    const files = yield* identity === undefined ? pkiFiles() : pkiFiles(identity)
    const credential = identity === undefined ? undefined : files.of(identity)
    return yield* spawnPeer(
      "curl",
      [
        ["-s", "-v", "--http1.1", "--noproxy", "*", "--cacert", files[root]],
        ["--resolve", `localhost:${port}:127.0.0.1`, ...versionOnly[version]],
        credential === undefined ? [] : ["--cert", credential.cert, "--key", credential.key],
        extra,
        [`https://localhost:${port}/`]
      ].flat()
    )
  })

/** And how it ended. */
const curl = (version: Version, port: number, options: CurlOptions = {}) =>
  Effect.gen(function*() {
    const process = yield* running(version, port, options)
    const code = yield* process.exit
    return { code, page: process.stdout, trace: process.stderr }
  })

peerSuite("curl", (it) => {
  it.live.each(versions)("gets a page over TLS %s, and HTTP/1.1 is agreed", (version) =>
    Effect.gen(function*() {
      const server = yield* ourServer({ version, alpnProtocols: ["http/1.1"], handler: answering })
      const got = yield* curl(version, server.port)
      assert.deepStrictEqual([got.code, got.page], [0, page], got.trace)
      const { connection, exit } = yield* server.report
      assert.strictEqual(ending(exit), "success")
      assert.deepStrictEqual([connection?.version, connection?.alpnProtocol, connection?.serverName], [
        version,
        "http/1.1",
        "localhost"
      ])
      assert.include(got.trace, `SSL connection using TLSv${version} / `)
      // 256 is a warning with the number 0.
      assert.match(got.trace, /\(IN\), TLS alert, close notify \(256\)/)
    }))

  it.live.each(versions)("shows a certificate over TLS %s", (version) =>
    Effect.gen(function*() {
      const server = yield* ourServer({ version, clientAuth: { mode: "require" }, handler: answering })
      assert.strictEqual((yield* curl(version, server.port, { identity: "client" })).page, page)
      // It sends the root as well.
      const [leaf] = (yield* server.report).connection?.peerCertificates ?? []
      assert.deepStrictEqual(leaf, (yield* testCredential("client")).leafDer)
    }))

  const suites = [
    ...suiteNames.map((name) => ["1.2", name, "--ciphers"] as const),
    ...suiteNames13.map((name) => ["1.3", name, "--tls13-ciphers"] as const)
  ]

  it.live.each(suites)("of one suite alone: TLS %s, %s", ([version, suite, flag]) =>
    Effect.gen(function*() {
      const identity = suite.includes("_RSA_") ? "rsa" : "ec"
      const server = yield* ourServer({ version, identity, handler: answering })
      const got = yield* curl(version, server.port, { extra: [flag, openSslSuite(suite)] })
      assert.strictEqual(got.page, page, got.trace)
      assert.strictEqual((yield* server.report).connection?.cipherSuite.name, suite)
      assert.include(got.trace, `SSL connection using TLSv${version} / ${openSslSuite(suite)}`)
    }))

  const groups = versions.flatMap((version) => groupNames.map((group) => [version, group] as const))

  it.live.each(groups)("of one group alone: TLS %s, %s", ([version, group]) =>
    Effect.gen(function*() {
      // In TLS 1.2 a certificate on a curve has to be on one of the groups.
      const server = yield* ourServer({ version, identity: "rsa", handler: answering })
      const got = yield* curl(version, server.port, { extra: ["--curves", openSslGroup(group)] })
      assert.strictEqual(got.page, page, got.trace)
      assert.strictEqual((yield* server.report).connection?.group, group)
    }))

  it.live.each(versions)(
    "resumes for its second URL, and both sides say so: TLS %s",
    (version) =>
      Effect.gen(function*() {
        const server = yield* ourServer({ version, handler: answering })
        const got = yield* curl(version, server.port, { extra: [`https://localhost:${server.port}/`] })
        assert.deepStrictEqual([got.code, got.page], [0, page + page], got.trace)
        const resumed = [yield* server.report, yield* server.report].map(({ connection }) => connection?.resumed)
        assert.deepStrictEqual(resumed, [false, true])
        assert.lengthOf(got.trace.match(/SSL re-using session ID/g) ?? [], 1)
      })
  )

  it.live("reads on under new keys, in the middle of a page", () =>
    Effect.gen(function*() {
      const server = yield* ourServer({
        version: "1.3",
        handler: (connection) =>
          answer(connection, "HTTP/1.0 200 OK\r\n\r\n").pipe(
            Effect.andThen(connection.updateKeys()),
            Effect.andThen(connection.write(new TextEncoder().encode(page)))
          )
      })
      const got = yield* curl("1.3", server.port)
      assert.strictEqual(got.page, page, got.trace)
      assert.strictEqual(ending((yield* server.report).exit), "success")
    }))

  it.live("is asked for another share", () =>
    Effect.gen(function*() {
      const server = yield* ourServer({ version: "1.3", groups: ["secp384r1"], handler: answering })
      assert.strictEqual((yield* curl("1.3", server.port)).page, page)
      assert.strictEqual((yield* server.report).connection?.group, "secp384r1")
    }))

  it.live.each(versions)(
    "is killed in the middle of a page, which our server sees: TLS %s",
    (version) =>
      Effect.gen(function*() {
        const server = yield* ourServer({
          version,
          handler: (connection) =>
            Effect.andThen(
              answer(connection, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\na part"),
              Effect.forever(connection.pull)
            )
        })
        const process = yield* running(version, server.port, { extra: ["--no-buffer"] })
        yield* process.waitFor(/a part/)
        yield* process.kill("SIGKILL")
        assert.strictEqual(ending((yield* server.report).exit), "Truncated")
      })
  )

  const cuts: ReadonlyArray<readonly [does: string, where: string, headers: string, code: number]> = [
    ["tells a page that was cut off", "the length was told", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", 18],
    ["takes a cut for the end", "the end is the close", "HTTP/1.0 200 OK\r\n\r\n", 0]
  ]

  it.live.each(cuts.flatMap((row) => versions.map((version) => [version, ...row] as const)))(
    "TLS %s: %s, where %s",
    ([version, , , headers, code]) =>
      Effect.gen(function*() {
        const server = yield* ourServer({
          version,
          handler: (connection) => Effect.andThen(answer(connection, `${headers}a part`), destroyTransport)
        })
        const got = yield* curl(version, server.port)
        assert.deepStrictEqual([got.code, got.page], [code, "a part"], got.trace)
        assert.notInclude(got.trace, "(IN), TLS alert, close notify")
      })
  )

  const refusals: ReadonlyArray<readonly [why: string, number: number, OurServerOptions, CurlOptions]> = [
    ["an unknown root", 48, {}, { root: "other" }],
    ["an expired certificate", 45, { identity: "expired" }, {}]
  ]

  it.live.each(refusals.flatMap((row) => versions.map((version) => [version, ...row] as const)))(
    "TLS %s: tells our server of %s: %s",
    ([version, , number, options, theirs]) =>
      Effect.gen(function*() {
        const server = yield* ourServer({ version, ...options, handler: answering })
        assert.strictEqual((yield* curl(version, server.port, theirs)).code, 60)
        assert.strictEqual(receivedAlert((yield* server.report).exit), number)
      })
  )

  const aes128 = { cipherSuites: CipherSuite.suites13.slice(0, 1) }
  const chacha20 = { extra: ["--tls13-ciphers", "TLS_CHACHA20_POLY1305_SHA256"] }
  const told: ReadonlyArray<readonly [Version, why: string, number: number, OurServerOptions, CurlOptions]> = [
    ["1.2", "another version", 70, { version: "1.3" }, {}],
    ["1.3", "another version", 70, { version: "1.2" }, {}],
    ["1.3", "no suite in common", 40, aes128, chacha20],
    ["1.2", "no application protocol in common", 120, { alpnProtocols: ["h2"] }, {}],
    ["1.3", "no application protocol in common", 120, { alpnProtocols: ["h2"] }, {}],
    ["1.2", "no certificate where one is required", 40, { clientAuth: { mode: "require" } }, {}],
    ["1.3", "no certificate where one is required", 116, { clientAuth: { mode: "require" } }, {}]
  ]

  it.live.each(told)("TLS %s: is told of %s: %s", ([version, , number, options, theirs]) =>
    Effect.gen(function*() {
      const server = yield* ourServer({ version, ...options, handler: answering })
      const { code, trace } = yield* curl(version, server.port, theirs)
      assert.notStrictEqual(code, 0)
      // 512 is the level fatal.
      assert.match(trace, new RegExp(`\\(IN\\), TLS alert, .* \\(${512 + number}\\)`))
      assert.match(ending((yield* server.report).exit), /^AlertSent /)
    }))
}, "curl")
