import * as Effect from "effect/Effect"
import { constants } from "node:crypto"
import type { PeerCertificate, TLSSocket } from "node:tls"
import type { Connection } from "../harness/Connection.ts"
import { HarnessError } from "../harness/HarnessError.ts"
import { nodeTlsClient, nodeTlsServer } from "../harness/NodeTls.ts"
import { alertNumberOfNodeError } from "../harness/NodeTlsAlert.ts"
import { testCredential, testPki } from "../harness/Pki.ts"
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

/** `node:tls`. */
export const nodeTls: ForeignPeer = {
  name: "node:tls",
  client: Effect.fnUntraced(function*(options) {
    const client = yield* nodeTlsClient({
      port: options.port,
      ca: yield* rootOf(options),
      ...(options.serverName === undefined ? {} : { servername: options.serverName }),
      ...(yield* credentialOf(options.identity)),
      ...optionsOf(options),
      ...(Buffer.isBuffer(options.resume) ? { session: options.resume } : {})
    })
    return {
      facts: Effect.map(client.secured, () => facts(client.socket)),
      waitForText: client.waitForText,
      sawClose: client.waitForEnd,
      sawWarning: () => untold,
      sawTruncation: client.waitForEnd,
      sawAlert: Effect.flatMap(client.waitForError, numberOf),
      received: Effect.sync(() => client.text),
      send: client.send,
      close: client.end,
      ended: client.waitForClose,
      kill: client.reset,
      session: Effect.sync(() => client.socket.getSession())
    }
  }),
  server: Effect.fnUntraced(function*(options = {}) {
    const seen = new WeakMap<TLSSocket, Facts>()
    const server = yield* nodeTlsServer({
      echo: true,
      keepSessions: true,
      onSecure: (socket) => void seen.set(socket, facts(socket)),
      ca: yield* rootOf(options),
      ...(yield* credentialOf(options.identity ?? "ec")),
      ...optionsOf(options),
      ...(options.clientAuth === undefined
        ? {}
        : { requestCert: true, rejectUnauthorized: options.clientAuth === "require" })
    })
    let count = 0
    return {
      port: server.port,
      kill: Effect.suspend(() => Effect.forEach(server.connections, ({ reset }) => reset, { discard: true })),
      next: Effect.sync(() => {
        const accepted = server.connection(count++)
        const then = <A>(use: (connection: Connection<TLSSocket>) => Effect.Effect<A, HarnessError>) =>
          Effect.flatMap(accepted, use)
        return {
          facts: Effect.map(accepted, ({ socket }) => seen.get(socket) ?? facts(socket)),
          waitForText: (pattern) => then((connection) => connection.waitForText(pattern)),
          sawClose: then((connection) => connection.waitForEnd),
          sawWarning: () => untold,
          sawTruncation: then((connection) => connection.waitForEnd),
          sawAlert: Effect.race(server.waitForClientError, then((connection) => connection.waitForError)).pipe(
            Effect.flatMap(numberOf)
          )
        }
      })
    }
  })
}
