import * as Effect from "effect/Effect"
import { constants } from "node:crypto"
import type { PeerCertificate, TLSSocket } from "node:tls"
import type { Connection } from "../harness/Connection.ts"
import { HarnessError } from "../harness/HarnessError.ts"
import { nodeTlsClient, nodeTlsServer } from "../harness/NodeTls.ts"
import { alertNumberOfNodeError } from "../harness/NodeTlsAlert.ts"
import { nodeTlsClientProcess, nodeTlsServerProcess } from "../harness/NodeTlsProcess.ts"
import { testCredential, testPki } from "../harness/Pki.ts"
import { pkiFiles } from "../harness/PkiFiles.ts"
import { type Direction, type Passed, tamperingProxy } from "../harness/TamperingProxy.ts"
import { contentType, contentTypes } from "../harness/TlsRecords.ts"
import type { Facts, ForeignOptions, ForeignPeer } from "./Foreign.ts"
import * as Names from "./Names.ts"

// SSL_OP_NO_EXTENDED_MASTER_SECRET: OpenSSL has it, node:crypto gives it no name.
const noExtendedMasterSecret = 1

const versions = {
  "1.1": { minVersion: "TLSv1.1", maxVersion: "TLSv1.1" },
  "1.2": { minVersion: "TLSv1.2", maxVersion: "TLSv1.2" },
  "1.3": { minVersion: "TLSv1.3", maxVersion: "TLSv1.3" },
  both: { minVersion: "TLSv1.2", maxVersion: "TLSv1.3" }
} as const

const optionsOf = (options: ForeignOptions) => ({
  ...(options.version === undefined ? {} : versions[options.version]),
  // Its security level refuses the signatures of TLS 1.1.
  ...(options.version === "1.1" ? { ciphers: "DEFAULT@SECLEVEL=0" } : {}),
  ...(options.suites === undefined ? {} : { ciphers: options.suites.map(Names.openSslSuite).join(":") }),
  ecdhCurve: (options.groups ?? Names.groupNamesOf("node:tls", options.version === "1.3" ? "1.3" : "1.2")).map(
    Names.openSslGroup
  ).join(":"),
  ...(options.schemes === undefined ? {} : { sigalgs: options.schemes.join(":") }),
  ...(options.alpnProtocol === undefined ? {} : { ALPNProtocols: [options.alpnProtocol] }),
  // There are no sessions without tickets in TLS 1.3.
  secureOptions: (options.version === "1.3" ? 0 : constants.SSL_OP_NO_TICKET) |
    (options.isExtended === false ? noExtendedMasterSecret : 0)
})

const credentialOf = (name: ForeignOptions["identity"]) =>
  name === undefined
    ? Effect.succeed({})
    : Effect.map(testCredential(name), ({ certificatePem, privateKeyPem }) => ({
      cert: certificatePem,
      key: privateKeyPem
    }))

const rootOf = (options: ForeignOptions) => Effect.map(testPki, (pki) => pki[options.trust ?? "ca"].certificatePem)

const nameIn = ({ subject }: Partial<PeerCertificate>): string | undefined => {
  const name = subject?.CN
  return typeof name === "string" ? name : name?.[0]
}

const facts = (socket: TLSSocket): Facts => {
  const { standardName } = socket.getCipher()
  const key = socket.getEphemeralKeyInfo() // of a client alone
  return {
    suite: Names.suiteNamed(standardName),
    group: Names.groupOf(key !== null && "name" in key ? String(key.name) : undefined),
    scheme: undefined,
    isExtended: undefined,
    isResumed: socket.isSessionReused(),
    alpnProtocol: typeof socket.alpnProtocol === "string" ? socket.alpnProtocol : undefined,
    clientName: nameIn(socket.getPeerCertificate()),
    serverName: Reflect.get(socket, "servername") || undefined
  }
}

const untold = Effect.fail(new HarnessError({ what: "node:tls tells of no warning", details: "" }))

const numberOf = (error: Error): Effect.Effect<number, HarnessError> => {
  const number = alertNumberOfNodeError(error)
  return number === undefined
    ? Effect.fail(new HarnessError({ what: "not an alert", details: error.message }))
    : Effect.succeed(number)
}

// Header, nonce, alert and tag under AES-GCM in TLS 1.2; header, alert, content type and tag in TLS 1.3.
const sealedAlert = {
  "1.2": { type: contentTypes.alert, length: 5 + 8 + 2 + 16 },
  "1.3": { type: contentTypes.applicationData, length: 5 + 2 + 1 + 16 }
}

/** What node:tls does not tell: whether the last that our side says before it ends the transport is an alert. */
const tap = (options: ForeignOptions & { readonly to: number; readonly ours: Direction }) =>
  Effect.gen(function*() {
    const { ours, to, version } = options
    const proxy = yield* tamperingProxy({ to, onRecord: (_direction, _index, record) => record })
    const { length, type } = sealedAlert[version === "1.3" ? "1.3" : "1.2"]
    /** `find` gives the connection that is meant. */
    const sawEnd = (find: (passed: Passed) => boolean, says: "close_notify" | "nothing") => {
      const connection = () => proxy.connections.find(find)
      const verdict = Effect.suspend(() => {
        const last = connection()?.seen[ours].at(-1)
        const by = connection()?.ended[ours]
        const isAlert = last !== undefined && contentType(last) === type && last.length === length
        if (says === "nothing" ? !isAlert : isAlert && by === "fin") return Effect.void
        const details = `${by} after ${Buffer.from(last ?? []).toString("hex")}`
        const what = `our side said ${says === "nothing" ? "" : "no "}close_notify before its end`
        return Effect.fail(new HarnessError({ what, details }))
      })
      return Effect.andThen(proxy.until("the end of our side", () => connection()?.ended[ours] !== undefined), verdict)
    }
    return { port: proxy.port, sawEnd }
  })

const untapped = Effect.fail(new HarnessError({ what: "node:tls cannot tell, unless it is tapped", details: "" }))

/** `node:tls`. */
export const nodeTls: ForeignPeer = {
  name: "node:tls",
  client: Effect.fnUntraced(function*(options) {
    const tapped = options.isTapped === true
      ? yield* tap({ ...options, to: options.port, ours: "serverToClient" })
      : undefined
    const client = yield* nodeTlsClient({
      port: tapped?.port ?? options.port,
      ca: yield* rootOf(options),
      ...(options.serverName === undefined ? {} : { servername: options.serverName }),
      ...(yield* credentialOf(options.identity)),
      ...optionsOf(options),
      ...(Buffer.isBuffer(options.resume) ? { session: options.resume } : {})
    })
    const sawEnd = (says: "close_notify" | "nothing") =>
      tapped === undefined ? untapped : Effect.andThen(client.waitForEnd, tapped.sawEnd(() => true, says))
    return {
      facts: Effect.map(client.secured, () => facts(client.socket)),
      waitForText: client.waitForText,
      sawClose: sawEnd("close_notify"),
      sawWarning: () => untold,
      sawTruncation: sawEnd("nothing"),
      sawAlert: Effect.flatMap(client.waitForError, numberOf),
      received: Effect.sync(() => client.text),
      send: client.send,
      close: client.end,
      ended: client.waitForClose,
      session: Effect.sync(() => client.socket.getSession())
    }
  }),
  server: Effect.fnUntraced(function*(options = {}) {
    const seen = new WeakMap<TLSSocket, { readonly facts: Facts; readonly port: number | undefined }>()
    const server = yield* nodeTlsServer({
      echo: true,
      keepSessions: true,
      onSecure: (socket) => void seen.set(socket, { facts: facts(socket), port: socket.remotePort }),
      ca: yield* rootOf(options),
      ...(yield* credentialOf(options.identity ?? "ec")),
      ...optionsOf(options),
      ...(options.clientAuth === undefined
        ? {}
        : { requestCert: true, rejectUnauthorized: options.clientAuth === "require" })
    })
    const tapped = options.isTapped === true
      ? yield* tap({ ...options, to: server.port, ours: "clientToServer" })
      : undefined
    let count = 0
    return {
      port: tapped?.port ?? server.port,
      next: Effect.sync(() => {
        const accepted = server.connection(count++)
        const then = <A>(use: (connection: Connection<TLSSocket>) => Effect.Effect<A, HarnessError>) =>
          Effect.flatMap(accepted, use)
        const sawEnd = (says: "close_notify" | "nothing") =>
          tapped === undefined ?
            untapped :
            then(({ socket, waitForEnd }) =>
              Effect.andThen(waitForEnd, tapped.sawEnd(({ port }) => port === seen.get(socket)?.port, says))
            )
        return {
          facts: Effect.map(accepted, ({ socket }) => seen.get(socket)?.facts ?? facts(socket)),
          waitForText: (pattern) => then((connection) => connection.waitForText(pattern)),
          sawClose: sawEnd("close_notify"),
          sawWarning: () => untold,
          sawTruncation: sawEnd("nothing"),
          sawAlert: Effect.race(server.waitForClientError, then((connection) => connection.waitForError)).pipe(
            Effect.flatMap(numberOf)
          )
        }
      })
    }
  }),
  mortalClient: Effect.fnUntraced(function*({ port, version = "1.2" }) {
    const { ca } = yield* pkiFiles()
    const process = yield* nodeTlsClientProcess({ port, caFile: ca, version: versions[version] })
    return { send: process.send, waitForText: (pattern) => process.waitFor(pattern), kill: process.kill("SIGKILL") }
  }),
  mortalServer: Effect.fnUntraced(function*({ version = "1.2" } = {}) {
    const files = yield* pkiFiles("ec")
    const { port, process } = yield* nodeTlsServerProcess({ ...files.of("ec"), version: versions[version] })
    return { port, kill: process.kill("SIGKILL") }
  })
}
