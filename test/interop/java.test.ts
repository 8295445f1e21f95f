import { assert, layer } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { fileURLToPath } from "node:url"
import { type Observation, SessionCache } from "effect-tls"
import { alertNumberOfName } from "../harness/AlertNumbers.ts"
import type { HarnessError } from "../harness/HarnessError.ts"
import { peerSuite } from "../harness/PeerSuite.ts"
import type { LeafName } from "../harness/Pki.ts"
import { type PkiFiles, pkiFiles } from "../harness/PkiFiles.ts"
import { type PeerProcess, spawnPeer } from "../harness/Process.ts"
import { waitLimit } from "../harness/Watch.ts"
import { HandshakeType } from "../../src/wire/CodePoints.ts"
import { groupNames, suiteNames, suiteNames13, type Version, versions } from "./Names.ts"
import {
  destroyTransport,
  echo,
  ending,
  makeDestroyer,
  ourClient,
  type OurClientOptions,
  ourServer,
  type OurServerOptions,
  receivedAlert,
  receiveLine,
  sendLine,
  within
} from "./Ours.ts"

const source = fileURLToPath(new URL("JavaPeer.java", import.meta.url))

/** What JSSE says of one client or server, a line at a time. */
interface Jsse {
  /** Waits for a line after its name. */
  readonly said: (pattern: RegExp) => Effect.Effect<RegExpMatchArray, HarnessError>
  /** Waits for the number of the alert that it received. */
  readonly sawAlert: Effect.Effect<number | undefined, HarnessError>
}

interface JsseOptions {
  readonly identity?: LeafName
  readonly suite?: string
  /** closes its transport behind the first data, without close_notify */
  readonly end?: "cut"
}

/** A virtual machine, and the files it reads. */
interface Machine {
  readonly client: (
    version: Version,
    port: number,
    options?: JsseOptions & {
      readonly root?: "ca" | "other"
      /** how often it comes, one visit after another; once by default */
      readonly visits?: number
    }
  ) => Effect.Effect<Jsse>
  readonly server: (
    version: Version,
    options?: JsseOptions & { readonly auth?: "want" | "need" }
  ) => Effect.Effect<Jsse & { readonly port: number }, HarnessError>
}

/** One for all that can do with the groups that it has by default. */
class Java extends Context.Service<Java, Machine>()("test/Java") {}

const make = (process: PeerProcess, files: PkiFiles): Machine => {
  let count = 0
  const told = (role: "client" | "server", { identity, ...options }: JsseOptions & Record<string, string | number>) => {
    const name = `${role}${count++}`
    const said = (pattern: RegExp) => process.waitFor(new RegExp(`^${name} ${pattern.source}$`, "m"))
    const jsse: Jsse = {
      said,
      sawAlert: Effect.map(said(/failed .*Received fatal alert: (\w+)/), ([, alert]) => alertNumberOfName(alert ?? ""))
    }
    const words = Object.entries({ ...options, ...identity === undefined ? {} : files.of(identity) })
      .map(([key, value]) => `${key}=${value}`)
    return Effect.as(process.send(`${[role, name, ...words].join(" ")}\n`), jsse)
  }
  return {
    client: (version, port, { root = "ca", ...options } = {}) =>
      told("client", { port, version, root: files[root], ...options }),
    server: (version, options = {}) =>
      Effect.gen(function*() {
        const jsse = yield* told("server", { version, root: files.ca, identity: "ec", ...options })
        const [, port] = yield* jsse.said(/listening (\d+)/)
        return { ...jsse, port: Number(port) }
      })
  }
}

const machine = (...flags: ReadonlyArray<string>) =>
  Effect.gen(function*() {
    const files = yield* pkiFiles("ec", "rsa", "expired", "client", "clientOther")
    // By default it takes a bare FIN for a clean end.
    return make(yield* spawnPeer("java", ["-Dcom.sun.net.ssl.requireCloseNotify=true", ...flags, source]), files)
  })

const java = Layer.effect(Java, machine())

/** The whole conversation of our client with a server that echoes; its facts. */
const greeting = (options: OurClientOptions) =>
  Effect.scoped(Effect.gen(function*() {
    const connection = yield* ourClient(options)
    yield* sendLine(connection, "hello")
    assert.strictEqual(yield* receiveLine(connection), "hello\n")
    return connection
  }))

/** Which way KeyUpdates went. */
const watchingUpdates = () => {
  const updates: Array<Observation["direction"]> = []
  const observe = (event: Observation) => {
    if (event._tag === "Message" && event.type === HandshakeType.key_update) updates.push(event.direction)
  }
  return { observe, updates }
}

const userCanceled = { level: "warning", description: "user_canceled" } as const
const closeNotify = { level: "warning", description: "close_notify" } as const

peerSuite("java", (it) => {
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
          yield* client.said(new RegExp(`open TLSv${version} TLS_\\w+ full`))
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
            yield* server.said(new RegExp(`open TLSv${version} ${connection.cipherSuite.name} full`))
            yield* sendLine(connection, "hello")
            assert.strictEqual(yield* receiveLine(connection), "hello\n")
          }))
          yield* server.said(/end/)
        })
    )

    const suites = [
      ...suiteNames.map((name) => ["1.2", name] as const),
      ...suiteNames13.map((name) => ["1.3", name] as const)
    ]

    it.effect.each(suites)("one suite alone, both ways: TLS %s, %s", ([version, suite]) =>
      Effect.gen(function*() {
        const identity = suite.includes("_RSA_") ? "rsa" : "ec"
        const ours = yield* ourServer({ version, identity })
        const client = yield* (yield* Java).client(version, ours.port, { suite })
        yield* client.said(new RegExp(`open TLSv${version} ${suite} full`))
        yield* client.said(/data hello/)
        assert.strictEqual((yield* ours.report).connection?.cipherSuite.name, suite)
        const server = yield* (yield* Java).server(version, { identity, suite })
        assert.strictEqual((yield* greeting({ version, port: server.port })).cipherSuite.name, suite)
        yield* server.said(/end/)
      }))

    it.effect.each(versions)("its client resumes, and both sides say so: TLS %s", (version) =>
      Effect.gen(function*() {
        const ours = yield* ourServer({ version })
        const client = yield* (yield* Java).client(version, ours.port, { visits: 2 })
        yield* client.said(new RegExp(`open TLSv${version} \\w+ full`))
        yield* client.said(new RegExp(`open TLSv${version} \\w+ resumed`))
        const resumed = [yield* ours.report, yield* ours.report].map(({ connection }) => connection?.resumed)
        assert.deepStrictEqual(resumed, [false, true])
      }))

    it.effect.each(versions)(
      "our client resumes at its server, and both sides say so: TLS %s",
      (version) =>
        Effect.gen(function*() {
          const server = yield* (yield* Java).server(version)
          const cache = yield* SessionCache.makeMemory()
          for (const resumed of [false, true]) {
            assert.strictEqual((yield* greeting({ version, port: server.port, cache })).resumed, resumed)
            yield* server.said(new RegExp(`open TLSv${version} \\w+ ${resumed ? "resumed" : "full"}`))
          }
        })
    )

    it.effect.each(versions)(
      "it is cut off, in either role: we are truncated: TLS %s",
      (version) =>
        Effect.gen(function*() {
          const ours = yield* ourServer({ version })
          const client = yield* (yield* Java).client(version, ours.port, { end: "cut" })
          yield* client.said(/cut/)
          assert.strictEqual(ending((yield* ours.report).exit), "Truncated")
          const server = yield* (yield* Java).server(version, { end: "cut" })
          const connection = yield* ourClient({ version, port: server.port })
          yield* sendLine(connection, "hello")
          assert.strictEqual(yield* receiveLine(connection), "hello\n")
          assert.strictEqual(ending(yield* Effect.exit(within("the end", connection.pull))), "Truncated")
        })
    )

    it.effect.each(versions)("its client sees a truncation: TLS %s", (version) =>
      Effect.gen(function*() {
        const ours = yield* ourServer({
          version,
          handler: (connection) => Effect.andThen(receiveLine(connection), destroyTransport)
        })
        const client = yield* (yield* Java).client(version, ours.port)
        yield* client.said(/failed (?:Remote host terminated the connection|.*reset.*)/)
      }))

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

    it.effect("new keys as we want them, in either role", () =>
      Effect.gen(function*() {
        const { client, server } = yield* Java
        const { observe, updates } = watchingUpdates()
        const ours = yield* ourServer({
          version: "1.3",
          observe,
          handler: (connection) => Effect.andThen(connection.updateKeys(true), echo(connection))
        })
        yield* (yield* client("1.3", ours.port)).said(/data hello/)
        assert.strictEqual(ending((yield* ours.report).exit), "success")
        yield* Effect.scoped(Effect.gen(function*() {
          const connection = yield* ourClient({ version: "1.3", port: (yield* server("1.3")).port, observe })
          yield* connection.updateKeys(true)
          yield* sendLine(connection, "hello")
          assert.strictEqual(yield* receiveLine(connection), "hello\n")
        }))
        assert.deepStrictEqual(updates, ["sent", "received", "sent", "received"])
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
      "what it tells us of an unknown root, an expired certificate, and none at all: TLS %s",
      (version) =>
        Effect.gen(function*() {
          const { client, server } = yield* Java
          const ours = yield* ourServer({ version })
          yield* client(version, ours.port, { root: "other" })
          assert.strictEqual(receivedAlert((yield* ours.report).exit), 46)
          const expired = yield* ourServer({ version, identity: "expired" })
          yield* client(version, expired.port)
          // Later releases of Java 17 have an alert of its own for what was certificate_unknown or bad_certificate in earlier ones.
          assert.oneOf(receivedAlert((yield* expired.report).exit), version === "1.3" ? [46, 45] : [45])
          const strict = yield* server(version, { auth: "need" })
          const call = (identity?: LeafName) =>
            Effect.exit(ourClient({
              version,
              port: strict.port,
              awaitPeerVerdict: waitLimit,
              ...identity === undefined ? {} : { identity }
            }))
          assert.oneOf(receivedAlert(yield* call()), [42, version === "1.3" ? 116 : 40])
          assert.strictEqual(receivedAlert(yield* call("clientOther")), 46)
        })
    )
  })

  it.live("new keys as it wants them, in either role", () =>
    Effect.gen(function*() {
      const { client, server } = yield* machine("-DkeyLimits=AES/GCM/NoPadding KeyUpdate 1")
      const ours = watchingUpdates()
      const { port, report } = yield* ourServer({ version: "1.3", observe: ours.observe })
      yield* (yield* client("1.3", port)).said(/data hello/)
      assert.strictEqual(ending((yield* report).exit), "success")
      assert.deepStrictEqual(ours.updates.slice(0, 2), ["received", "sent"])
      const theirs = watchingUpdates()
      yield* greeting({ version: "1.3", port: (yield* server("1.3")).port, observe: theirs.observe })
      assert.deepStrictEqual(theirs.updates.slice(0, 2), ["received", "sent"])
    }))

  // The groups are those of the whole machine.
  it.live.each(groupNames)("one group alone, in either role and version: %s", (group) =>
    Effect.gen(function*() {
      const { client, server } = yield* machine(`-Djdk.tls.namedGroups=${group}`)
      for (const version of versions) {
        // In TLS 1.2 a certificate on a curve has to be on one of the groups.
        const ours = yield* ourServer({ version, identity: "rsa" })
        yield* (yield* client(version, ours.port)).said(/data hello/)
        assert.strictEqual((yield* ours.report).connection?.group, group)
        const { port } = yield* server(version, { identity: "rsa" })
        assert.strictEqual((yield* greeting({ version, port })).group, group)
      }
    }))
}, "JSSE")
