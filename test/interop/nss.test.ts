import { assert } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { CipherSuite, type Connection, type Observation, SessionCache } from "effect-tls"
import { nssDatabase, selfserv, tstclnt } from "../harness/Nss.ts"
import { peerSuite } from "../harness/PeerSuite.ts"
import type { LeafName } from "../harness/Pki.ts"
import { pkiFiles } from "../harness/PkiFiles.ts"
import { waitLimit } from "../harness/Watch.ts"
import { HandshakeType } from "../../src/wire/CodePoints.ts"
import { groupNames, suiteNames, suiteNames13, type Version, versions } from "./Names.ts"
import {
  destroyTransport,
  ending,
  makeDestroyer,
  ourClient,
  ourServer,
  type OurServerOptions,
  receivedAlert,
  within
} from "./Ours.ts"

const request = "GET / HTTP/1.0\r\n\r\n"

/** The end of the request, then a page and the end. */
const answering = (connection: Connection) =>
  Effect.gen(function*() {
    let heard = ""
    while (!heard.endsWith("\r\n\r\n")) heard += Buffer.concat(yield* connection.pull).toString()
    yield* connection.write(new TextEncoder().encode("HTTP/1.0 200 OK\r\n\r\nthe page\r\n"))
  })

/** The version of NSS alone, in its own flags. */
const pinned = (version: Version) => ["-V", `tls${version}:tls${version}`]

const groups: Readonly<Record<typeof groupNames[number], string>> = {
  x25519: "x25519",
  secp256r1: "P256",
  secp384r1: "P384",
  secp521r1: "P521"
}

const versionsAndGroups = versions.flatMap((version) => groupNames.map((group) => [version, group] as const))

const idOf = (name: string) =>
  [...CipherSuite.suites, ...CipherSuite.suites13].find((suite) => suite.name === name)?.id.toString(16).padStart(
    4,
    "0"
  )

interface ClientOptions {
  readonly roots?: ReadonlyArray<"ca" | "other">
  readonly identity?: LeafName
  readonly extra?: ReadonlyArray<string>
}

/** tstclnt, that speaks this version alone. */
const client = (version: Version, port: number, { extra = [], identity, roots = ["ca"] }: ClientOptions = {}) =>
  Effect.gen(function*() {
    const files = yield* identity === undefined ? pkiFiles() : pkiFiles(identity)
    const file = join(files.directory, "request")
    yield* Effect.promise(() => writeFile(file, request))
    const database = yield* nssDatabase(files, "nss", { roots, identities: identity === undefined ? [] : [identity] })
    return yield* tstclnt({
      port,
      database,
      request: file,
      extra: [...pinned(version), ...extra, ...identity === undefined ? [] : ["-n", identity]]
    })
  })

const server = (version: Version, identity: "ec" | "rsa", ...extra: ReadonlyArray<string>) =>
  Effect.gen(function*() {
    const files = yield* pkiFiles(identity)
    const database = yield* nssDatabase(files, "nss", { roots: ["ca"], identities: [identity] })
    return yield* selfserv({ database, identity, extra: [...pinned(version), ...extra] })
  })

/** A request, and the page to its clean end. */
const fetched = (connection: Connection) =>
  Effect.gen(function*() {
    yield* connection.write(new TextEncoder().encode(request))
    const page = within("the page", Stream.runCollect(connection.stream))
    return Buffer.concat([...(yield* page)]).toString()
  })

const suites: ReadonlyArray<readonly [Version, string]> = [
  ...suiteNames.map((name) => ["1.2", name] as const),
  ...suiteNames13.map((name) => ["1.3", name] as const)
]

peerSuite(["tstclnt", "certutil", "pk12util", "openssl"], (it) => {
  it.live.each(suites)(
    "opens, gets its page and sees the close: TLS %s, %s",
    ([version, suite]) =>
      Effect.gen(function*() {
        const ours = yield* ourServer({
          version,
          identity: suite.includes("_RSA_") ? "rsa" : "ec",
          handler: answering
        })
        const nss = yield* client(version, ours.port, { extra: ["-c", `:${idOf(suite)}`] })
        assert.strictEqual(yield* nss.exit, 0)
        assert.include(nss.stdout, "the page")
        assert.match(nss.output, new RegExp(`SSL version 3.${version === "1.3" ? 4 : 3} using `))
        const { connection, exit } = yield* ours.report
        assert.deepStrictEqual([connection?.version, connection?.cipherSuite.name, ending(exit)], [
          version,
          suite,
          "success"
        ])
      })
  )

  it.live.each(versionsAndGroups)("of one group alone: TLS %s, %s", ([version, group]) =>
    Effect.gen(function*() {
      // In TLS 1.2 a certificate on a curve has to be on one of the groups.
      const ours = yield* ourServer({ version, identity: "rsa", handler: answering })
      const nss = yield* client(version, ours.port, { extra: ["-I", groups[group]] })
      assert.strictEqual(yield* nss.exit, 0)
      assert.strictEqual((yield* ours.report).connection?.group, group)
    }))

  it.live("is asked for another share", () =>
    Effect.gen(function*() {
      const ours = yield* ourServer({ version: "1.3", groups: ["secp384r1"], handler: answering })
      const nss = yield* client("1.3", ours.port, { extra: ["-I", "x25519,P384"] })
      assert.strictEqual(yield* nss.exit, 0)
      assert.strictEqual((yield* ours.report).connection?.group, "secp384r1")
    }))

  it.live.each(versions)("resumes, and both sides say so: TLS %s", (version) =>
    Effect.gen(function*() {
      const ours = yield* ourServer({ version, handler: answering })
      const nss = yield* client(version, ours.port, { extra: ["-L", "2", "-u"] })
      assert.strictEqual(yield* nss.exit, 0)
      const resumed = [yield* ours.report, yield* ours.report].map(({ connection }) => connection?.resumed)
      assert.deepStrictEqual(resumed, [false, true])
      assert.match(nss.output, /^1 cache hits/m)
    }))

  it.live.each(versions)("exports the same as our server: TLS %s", (version) =>
    Effect.gen(function*() {
      const label = "EXPERIMENTAL effect-tls"
      const exported = yield* Deferred.make<Option.Option<Redacted.Redacted<Uint8Array>>>()
      const ours = yield* ourServer({
        version,
        handler: (connection) => {
          const material = connection.exportKeyingMaterial(label, 32, new TextEncoder().encode("context"))
          return Effect.andThen(Deferred.succeed(exported, material), answering(connection))
        }
      })
      const nss = yield* client(version, ours.port, { extra: ["-x", `${label}:32:context`] })
      const [, theirs] = yield* nss.waitFor(/Keying Material:\n((?: +[0-9a-f:]{47,48}\n){2})/)
      const material = yield* within("the handshake of our server", Deferred.await(exported))
      assert.strictEqual(
        Buffer.from(Redacted.value(Option.getOrThrow(material))).toString("hex"),
        theirs?.replaceAll(/[^0-9a-f]/g, "")
      )
    }))

  it.live.each(versions)("shows a certificate: TLS %s", (version) =>
    Effect.gen(function*() {
      const ours = yield* ourServer({ version, clientAuth: { mode: "require" }, handler: answering })
      const nss = yield* client(version, ours.port, { identity: "client" })
      assert.strictEqual(yield* nss.exit, 0)
      assert.strictEqual((yield* ours.report).connection?.peerCertificates.length, 1)
    }))

  it.live("reads on under new keys, in the middle of a page", () =>
    Effect.gen(function*() {
      const ours = yield* ourServer({
        version: "1.3",
        handler: (connection) => Effect.andThen(connection.updateKeys(true), answering(connection))
      })
      const nss = yield* client("1.3", ours.port)
      assert.strictEqual(yield* nss.exit, 0)
      assert.include(nss.stdout, "the page")
    }))

  it.live.each(versions)("is killed, which our server sees: TLS %s", (version) =>
    Effect.gen(function*() {
      const ours = yield* ourServer({
        version,
        handler: (connection) => Effect.andThen(answering(connection), Effect.forever(connection.pull))
      })
      const nss = yield* client(version, ours.port)
      yield* nss.waitFor(/the page/)
      yield* nss.kill("SIGKILL")
      assert.strictEqual(ending((yield* ours.report).exit), "Truncated")
    }))

  it.live.each(versions)("takes a cut for the end: TLS %s", (version) =>
    Effect.gen(function*() {
      const ours = yield* ourServer({
        version,
        handler: (connection) => Effect.andThen(answering(connection), destroyTransport)
      })
      const nss = yield* client(version, ours.port)
      assert.strictEqual(yield* nss.exit, 0)
      assert.include(nss.stdout, "the page")
    }))

  const refusals: ReadonlyArray<readonly [why: string, number: number, OurServerOptions, ClientOptions]> = [
    ["an unknown root", 48, {}, { roots: [] }],
    ["an expired certificate", 45, { identity: "expired" }, {}],
    ["another host", 42, { identity: "wrongHost" }, {}]
  ]

  it.live.each(refusals.flatMap((row) => versions.map((version) => [version, ...row] as const)))(
    "TLS %s: tells our server of %s: %s",
    ([version, , number, options, theirs]) =>
      Effect.gen(function*() {
        const ours = yield* ourServer({ version, ...options, handler: answering })
        yield* client(version, ours.port, theirs)
        assert.strictEqual(receivedAlert((yield* ours.report).exit), number)
      })
  )

  const told: ReadonlyArray<readonly [Version, why: string, name: string, OurServerOptions, ClientOptions]> = [
    ["1.2", "no certificate where one is required", "HANDSHAKE_FAILURE_ALERT", { clientAuth: { mode: "require" } }, {}],
    ["1.3", "no certificate where one is required", "RX_CERTIFICATE_REQUIRED_ALERT", {
      clientAuth: { mode: "require" }
    }, {}],
    ["1.2", "another version", "PROTOCOL_VERSION_ALERT", { version: "1.3" }, {}],
    ["1.3", "another version", "PROTOCOL_VERSION_ALERT", { version: "1.2" }, {}],
    ["1.3", "no suite in common", "NO_CYPHER_OVERLAP", { cipherSuites: CipherSuite.suites13.slice(0, 1) }, {
      extra: ["-c", ":1303"]
    }]
  ]

  it.live.each(told)(
    "TLS %s: is told of %s: SSL_ERROR_%s",
    ([version, , name, options, theirs]) =>
      Effect.gen(function*() {
        const ours = yield* ourServer({ version, ...options, handler: answering })
        const nss = yield* client(version, ours.port, theirs)
        yield* nss.waitFor(new RegExp(`SSL_ERROR_${name}\\b`))
        assert.match(ending((yield* ours.report).exit), /^AlertSent /)
      })
  )
}, "NSS as a client")

peerSuite(["selfserv", "certutil", "pk12util", "openssl"], (it) => {
  it.live.each(suites)(
    "our client gets a page to its clean end: TLS %s, %s",
    ([version, suite]) =>
      Effect.gen(function*() {
        const nss = yield* server(version, suite.includes("_RSA_") ? "rsa" : "ec", "-c", `:${idOf(suite)}`)
        const connection = yield* ourClient({ version, port: nss.port })
        assert.strictEqual(connection.cipherSuite.name, suite)
        assert.match(yield* fetched(connection), /^HTTP\/1\.0 200 OK/)
      })
  )

  it.live.each(versionsAndGroups)(
    "of one group alone, to our client: TLS %s, %s",
    ([version, group]) =>
      Effect.gen(function*() {
        const nss = yield* server(version, "rsa", "-I", groups[group])
        const connection = yield* ourClient({ version, port: nss.port })
        assert.strictEqual(connection.group, group)
        assert.match(yield* fetched(connection), /^HTTP\/1\.0 200 OK/)
      })
  )

  it.live("reads a request under new keys of our client, and answers under its own", () =>
    Effect.gen(function*() {
      const nss = yield* server("1.3", "ec")
      const received: Array<number> = []
      const observe = (event: Observation) => {
        if (event._tag === "Message" && event.direction === "received") received.push(event.type)
      }
      const connection = yield* ourClient({ version: "1.3", port: nss.port, observe })
      yield* connection.updateKeys(true)
      assert.match(yield* fetched(connection), /^HTTP\/1\.0 200 OK/)
      assert.include(received, HandshakeType.key_update)
    }))

  it.live.each(versions)("is killed, which our client sees: TLS %s", (version) =>
    Effect.gen(function*() {
      const nss = yield* server(version, "ec")
      const connection = yield* ourClient({ version, port: nss.port })
      yield* nss.process.kill("SIGKILL")
      assert.strictEqual(ending(yield* Effect.exit(within("the end", connection.pull))), "Truncated")
    }))

  it.live.each(versions)("takes a cut for the end: TLS %s", (version) =>
    Effect.gen(function*() {
      const nss = yield* server(version, "ec")
      const { destroy, signal } = makeDestroyer()
      yield* ourClient({ version, port: nss.port, signal })
      destroy()
      yield* nss.process.waitFor(/PR_Read hit EOF returned error 0:/)
    }))

  it.live("asks our client for another share", () =>
    Effect.gen(function*() {
      const nss = yield* server("1.3", "ec", "-I", "P521")
      const connection = yield* ourClient({ version: "1.3", port: nss.port })
      assert.strictEqual(connection.group, "secp521r1")
      assert.match(yield* fetched(connection), /^HTTP\/1\.0 200 OK/)
    }))

  it.live.each(versions)("our client resumes, and both sides say so: TLS %s", (version) =>
    Effect.gen(function*() {
      const nss = yield* server(version, "ec", "-u")
      const cache = yield* SessionCache.makeMemory()
      const resumed: Array<boolean> = []
      for (let time = 0; time < 2; time++) {
        yield* Effect.scoped(Effect.gen(function*() {
          const connection = yield* ourClient({ version, port: nss.port, cache })
          yield* fetched(connection)
          resumed.push(connection.resumed)
        }))
      }
      assert.deepStrictEqual(resumed, [false, true])
      yield* nss.process.waitFor(/\b1 cache hits|\b1 stateless resumes/)
    }))

  it.live.each(versions)(
    "our client shows a certificate, or hears that it must: TLS %s",
    (version) =>
      Effect.gen(function*() {
        const nss = yield* server(version, "ec", "-u", "-r", "-r")
        const call = (identity?: LeafName) =>
          ourClient({
            version,
            port: nss.port,
            awaitPeerVerdict: waitLimit,
            ...identity === undefined ? {} : { identity }
          }).pipe(Effect.flatMap(fetched), Effect.scoped, Effect.exit)
        assert.strictEqual(ending(yield* call("client")), "success")
        assert.strictEqual(receivedAlert(yield* call()), version === "1.3" ? 116 : 42)
        assert.strictEqual(receivedAlert(yield* call("clientOther")), 48)
      })
  )

  it.live.each(versions)("is told that its root is unknown: TLS %s", (version) =>
    Effect.gen(function*() {
      const nss = yield* server(version, "ec")
      const exit = yield* Effect.exit(ourClient({ version, port: nss.port, trust: "other" }))
      assert.strictEqual(ending(exit), "AlertSent UnknownCa")
      // SSL_ERROR_UNKNOWN_CA_ALERT
      yield* nss.process.waitFor(/-12195/)
    }))
}, "NSS as a server")
