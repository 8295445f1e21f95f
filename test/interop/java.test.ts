import { assert, layer } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { fileURLToPath } from "node:url"
import type { Observation } from "effect-tls"
import { alertNumberOfName } from "../harness/AlertNumbers.ts"
import type { HarnessError } from "../harness/HarnessError.ts"
import { peerSuite } from "../harness/PeerSuite.ts"
import type { LeafName } from "../harness/Pki.ts"
import { type PkiFiles, pkiFiles } from "../harness/PkiFiles.ts"
import { type PeerProcess, spawnPeer } from "../harness/Process.ts"
import { waitLimit } from "../harness/Watch.ts"
import { type Version, versions } from "./Names.ts"
import {
  ending,
  makeDestroyer,
  ourClient,
  ourServer,
  type OurServerOptions,
  receivedAlert,
  receiveLine,
  sendLine
} from "./Ours.ts"

const source = fileURLToPath(new URL("JavaPeer.java", import.meta.url))

/** What JSSE says of one client or server, a line at a time. */
interface Jsse {
  /** Waits for a line after its name. */
  readonly said: (pattern: RegExp) => Effect.Effect<RegExpMatchArray, HarnessError>
  /** Waits for the number of the alert that it received. */
  readonly sawAlert: Effect.Effect<number | undefined, HarnessError>
}

/** One virtual machine for all, and the files it reads. */
class Java extends Context.Service<Java, {
  readonly client: (version: Version, port: number, options?: {
    readonly root?: "ca" | "other"
    readonly identity?: LeafName
  }) => Effect.Effect<Jsse>
  readonly server: (
    version: Version,
    options?: { readonly identity?: LeafName; readonly auth?: "none" | "want" | "need" }
  ) => Effect.Effect<Jsse & { readonly port: number }, HarnessError>
}>()("test/Java") {}

const make = (process: PeerProcess, files: PkiFiles): Java["Service"] => {
  let count = 0
  const told = (role: "client" | "server", words: (name: string) => ReadonlyArray<string>) => {
    const name = `${role}${count++}`
    const said = (pattern: RegExp) => process.waitFor(new RegExp(`^${name} ${pattern.source}$`, "m"))
    const jsse: Jsse = {
      said,
      sawAlert: Effect.map(said(/failed .*Received fatal alert: (\w+)/), ([, alert]) => alertNumberOfName(alert ?? ""))
    }
    return Effect.as(process.send(`${[role, name, ...words(name)].join(" ")}\n`), jsse)
  }
  const filesOf = (identity: LeafName) => [files.of(identity).cert, files.of(identity).key]
  return {
    client: (version, port, { identity, root = "ca" } = {}) =>
      told("client", () => [String(port), version, files[root], ...identity === undefined ? [] : filesOf(identity)]),
    server: (version, { auth = "none", identity = "ec" } = {}) =>
      Effect.gen(function*() {
        const jsse = yield* told("server", () => [version, files.ca, ...filesOf(identity), auth])
        const [, port] = yield* jsse.said(/listening (\d+)/)
        return { ...jsse, port: Number(port) }
      })
  }
}

const java = Layer.effect(
  Java,
  Effect.gen(function*() {
    const files = yield* pkiFiles("ec", "expired", "client", "clientOther")
    // By default it takes a bare FIN for a clean end.
    return make(yield* spawnPeer("java", ["-Dcom.sun.net.ssl.requireCloseNotify=true", source]), files)
  })
)

const userCanceled = { level: "warning", description: "user_canceled" } as const
const closeNotify = { level: "warning", description: "close_notify" } as const

peerSuite("java", () => {
  layer(java, { excludeTestServices: true, timeout: waitLimit * 3 })((it) => {
    it.effect.each(versions)(
      "its client opens, echoes and closes, which is a clean end: TLS %s",
      (version) =>
        Effect.gen(function*() {
          const alerts: Array<object> = []
          const observe = (seen: Observation) => {
            if (seen._tag === "Alert" && seen.direction === "received") alerts.push({ ...seen.alert })
          }
          const server = yield* ourServer({ version, observe })
          const client = yield* (yield* Java).client(version, server.port)
          yield* client.said(new RegExp(`open TLSv${version} TLS_\\w+`))
          yield* client.said(/data hello/)
          const { closure, connection, exit } = yield* server.report
          assert.strictEqual(ending(exit), "success")
          assert.deepStrictEqual([connection?.version, closure], [version, { _tag: "Closed", error: undefined }])
          // It says that it will read no more, as RFC 8446 section 6.1 knows no other way.
          assert.deepStrictEqual(alerts, version === "1.3" ? [userCanceled, closeNotify] : [closeNotify])
        })
    )

    it.effect.each(versions)(
      "its server takes our client, and sees it close: TLS %s",
      (version) =>
        Effect.gen(function*() {
          const server = yield* (yield* Java).server(version)
          yield* Effect.scoped(Effect.gen(function*() {
            const connection = yield* ourClient({ version, port: server.port })
            yield* server.said(new RegExp(`open TLSv${version} ${connection.cipherSuite.name}`))
            yield* sendLine(connection, "hello")
            assert.strictEqual(yield* receiveLine(connection), "hello\n")
          }))
          yield* server.said(/end/)
        })
    )

    it.effect.each(versions)("its server sees a truncation: TLS %s", (version) =>
      Effect.gen(function*() {
        const server = yield* (yield* Java).server(version)
        const { destroy, signal } = makeDestroyer()
        const connection = yield* ourClient({ version, port: server.port, signal })
        yield* sendLine(connection, "hello")
        yield* receiveLine(connection)
        destroy()
        yield* server.said(/failed (?:Remote host terminated the connection|.*reset.*)/)
      }))

    it.effect.each(versions)("client certificates, both ways: TLS %s", (version) =>
      Effect.gen(function*() {
        const ours = yield* ourServer({ version, clientAuth: { mode: "require" } })
        const client = yield* (yield* Java).client(version, ours.port, { identity: "client" })
        yield* client.said(/data hello/)
        assert.strictEqual((yield* ours.report).connection?.peerCertificates.length, 1)
        const server = yield* (yield* Java).server(version, { auth: "need" })
        const connection = yield* ourClient({ version, port: server.port, identity: "client" })
        yield* sendLine(connection, "hello")
        assert.strictEqual(yield* receiveLine(connection), "hello\n")
      }))

    it.effect("a HelloRetryRequest of ours", () =>
      Effect.gen(function*() {
        const server = yield* ourServer({ version: "1.3", groups: ["secp521r1"] })
        const client = yield* (yield* Java).client("1.3", server.port)
        yield* client.said(/data hello/)
        assert.strictEqual((yield* server.report).connection?.group, "secp521r1")
      }))

    const told: ReadonlyArray<readonly [why: string, Version, options: OurServerOptions, number: number]> = [
      ["no certificate where one is required", "1.2", { clientAuth: { mode: "require" } }, 40],
      ["no certificate where one is required", "1.3", { clientAuth: { mode: "require" } }, 116],
      ["no group in common", "1.3", { groups: ["x25519mlkem768"] }, 40],
      ["another version", "1.2", { version: "1.3" }, 70],
      ["another version", "1.3", { version: "1.2" }, 70]
    ]

    it.effect.each(told)(
      "its client is told for %s: TLS %s",
      ([, version, options, number]) =>
        Effect.gen(function*() {
          const server = yield* ourServer({ version, ...options })
          const client = yield* (yield* Java).client(version, server.port)
          assert.strictEqual(yield* client.sawAlert, number)
          assert.match(ending((yield* server.report).exit), /^AlertSent /)
        })
    )

    it.effect.each(versions)(
      "its server is told that its root is unknown: TLS %s",
      (version) =>
        Effect.gen(function*() {
          const server = yield* (yield* Java).server(version)
          const exit = yield* Effect.exit(ourClient({ version, port: server.port, trust: "other" }))
          assert.strictEqual(ending(exit), "AlertSent UnknownCa")
          assert.strictEqual(yield* server.sawAlert, 48)
        })
    )

    it.effect.each(versions)(
      "what it tells us: certificate_unknown of an unknown root, bad_certificate of none: TLS %s",
      (version) =>
        Effect.gen(function*() {
          const { client, server } = yield* Java
          const ours = yield* ourServer({ version })
          yield* client(version, ours.port, { root: "other" })
          assert.strictEqual(receivedAlert((yield* ours.report).exit), 46)
          const expired = yield* ourServer({ version, identity: "expired" })
          yield* client(version, expired.port)
          assert.strictEqual(receivedAlert((yield* expired.report).exit), version === "1.3" ? 46 : 45)
          const strict = yield* server(version, { auth: "need" })
          const call = (identity?: LeafName) =>
            Effect.exit(ourClient({
              version,
              port: strict.port,
              awaitPeerVerdict: waitLimit,
              ...identity === undefined ? {} : { identity }
            }))
          assert.strictEqual(receivedAlert(yield* call()), 42)
          assert.strictEqual(receivedAlert(yield* call("clientOther")), 46)
        })
    )
  })
}, "JSSE")
