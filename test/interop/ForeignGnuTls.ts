import * as Effect from "effect/Effect"
import { gnuTlsClient, gnuTlsServer } from "../harness/GnuTls.ts"
import { pkiFiles } from "../harness/PkiFiles.ts"
import { type Facts, type ForeignOptions, type ForeignPeer, printed, printedEnd } from "./Foreign.ts"
import * as Names from "./Names.ts"

const facts = (output: string): Facts => {
  const [, group, scheme, aead] =
    output.match(/^- Description: \(TLS1\.2-X\.509\)-\(ECDHE-([\w-]+)\)-\(([\w-]+)\)-\(([\w-]+)\)$/m) ?? []
  const name = Names.schemeOf(scheme)
  return {
    suite: name === undefined || aead === undefined
      ? undefined
      : Names.suiteOfGnuTls(name.startsWith("rsa") ? "RSA" : "ECDSA", aead),
    group: Names.groupOf(group),
    scheme: name,
    isExtended: /^- Options: .*extended master secret/m.test(output),
    isResumed: output.includes("This is a resumed session"),
    alpnProtocol: printed(output, /^- Application protocol: (\S+)$/m),
    clientName: printed(output, /^ - subject `CN=([^']+)'/m),
    serverName: printed(output, /^- Given server name\[\d+\]: (\S+)$/m)
  }
}

// Alerts that were received are told in full at this level only.
const debug = ["--debug", "5"]
const close = /Alert\[1\|0\] - Close notify - was received/

const filesFor = (options: ForeignOptions, fallback: ForeignOptions["identity"]) => {
  const identity = options.identity ?? fallback
  return Effect.map(identity === undefined ? pkiFiles() : pkiFiles(identity), (files) => ({
    credential: identity === undefined ? undefined : files.of(identity),
    root: files[options.trust ?? "ca"]
  }))
}

/** `gnutls-cli` and `gnutls-serv --echo`. */
export const gnutls: ForeignPeer = {
  name: "gnutls",
  client: Effect.fnUntraced(function*(options) {
    const { credential, root } = yield* filesFor(options, undefined)
    const process = yield* gnuTlsClient({
      port: options.port,
      caFile: root,
      ...(options.serverName === undefined ? {} : { serverName: options.serverName }),
      ...credential,
      priority: Names.gnuTlsPriority(options),
      extra: [
        ...debug,
        "--noticket",
        ...(options.alpnProtocol === undefined ? [] : ["--alpn", options.alpnProtocol])
      ]
    })
    return {
      ...printedEnd(process, { established: (output) => /^- Handshake was completed\n/m.test(output), facts, close }),
      send: process.send,
      close: process.endInput,
      session: Effect.succeed(undefined)
    }
  }),
  server: Effect.fnUntraced(function*(options = {}) {
    const { credential, root } = yield* filesFor(options, "ec")
    if (credential === undefined) return yield* Effect.die(new Error("a server has a credential"))
    const { port, process } = yield* gnuTlsServer({
      ...credential,
      ...(options.clientAuth === undefined ? {} : { clientCaFile: root, clientAuth: options.clientAuth }),
      priority: Names.gnuTlsPriority(options),
      extra: [
        ...debug,
        "--noticket",
        ...(options.alpnProtocol === undefined ? [] : ["--alpn", options.alpnProtocol, "--alpn-fatal"])
      ]
    })
    return {
      port,
      next: Effect.sync(() =>
        printedEnd(process, { established: (output) => /^ - 'tls-exporter': .*\n/m.test(output), facts, close })
      )
    }
  })
}
