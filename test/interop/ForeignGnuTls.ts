import * as Effect from "effect/Effect"
import { gnuTlsClient, gnuTlsServer } from "../harness/GnuTls.ts"
import {
  type Facts,
  filesOf,
  type ForeignClientOptions,
  type ForeignOptions,
  type ForeignPeer,
  type ForeignServerOptions,
  printed,
  printedClient,
  printedEnd,
  serverFilesOf
} from "./Foreign.ts"
import * as Names from "./Names.ts"

const facts = (output: string): Facts => {
  const [, version, group, scheme, aead] =
    output.match(/^- Description: \(TLS1\.([23])-X\.509\)-\(ECDHE-([\w-]+)\)-\(([\w-]+)\)-\(([\w-]+)\)$/m) ?? []
  const name = Names.schemeOf(scheme)
  const key = name?.startsWith("rsa") === true ? "RSA" : "ECDSA"
  return {
    suite: Names.suiteOfGnuTls(version === "3" ? undefined : key, aead),
    group: Names.groupOf(group),
    scheme: name,
    isExtended: version === "3" ? undefined : /^- Options: .*extended master secret/m.test(output),
    isResumed: output.includes("This is a resumed session"),
    alpnProtocol: printed(output, /^- Application protocol: (\S+)$/m),
    clientName: printed(output, /^\tSubject: CN=(.+)$/m),
    serverName: printed(output, /^- Given server name\[\d+\]: (\S+)$/m)
  }
}

// Alerts that were received are told in full at this level only.
const debug = ({ isQuiet }: ForeignOptions) => isQuiet === true ? [] : ["--debug", "5"]
// There are no sessions without tickets in TLS 1.3.
const tickets = ({ version }: ForeignOptions) => version === "1.3" ? [] : ["--noticket"]
const says = (established: RegExp) => ({
  established: (output: string) => established.test(output),
  facts,
  close: /Alert\[1\|0\] - Close notify - was received/,
  warning: (number: number) => new RegExp(`Alert\\[1\\|${number}\\] - .* - was received`),
  truncation: /The TLS connection was non-properly terminated/
})

const client = Effect.fnUntraced(function*(options: ForeignClientOptions) {
  const { credential, root } = yield* filesOf(options)
  const process = yield* gnuTlsClient({
    port: options.port,
    caFile: root,
    ...(options.serverName === undefined ? {} : { serverName: options.serverName }),
    ...credential,
    priority: Names.gnuTlsPriority(options),
    extra: [
      ...debug(options),
      ...tickets(options),
      ...(options.alpnProtocol === undefined ? [] : ["--alpn", options.alpnProtocol])
    ]
  })
  return { ...printedClient(process, says(/^- Handshake was completed\n/m)), session: Effect.undefined }
})

const server = Effect.fnUntraced(function*(options: ForeignServerOptions = {}) {
  const { credential, root } = yield* serverFilesOf(options)
  const { port, process } = yield* gnuTlsServer({
    ...credential,
    ...(options.clientAuth === undefined ? {} : { clientCaFile: root, clientAuth: options.clientAuth }),
    priority: Names.gnuTlsPriority(options),
    extra: [
      ...debug(options),
      ...tickets(options),
      ...(options.alpnProtocol === undefined ? [] : ["--alpn", options.alpnProtocol, "--alpn-fatal"])
    ]
  })
  return {
    port,
    next: Effect.sync(() => printedEnd(process, says(/^ - 'tls-exporter': .*\n/m))),
    kill: process.kill("SIGKILL")
  }
})

/** `gnutls-cli` and `gnutls-serv --echo`. */
export const gnutls: ForeignPeer = {
  name: "gnutls",
  client,
  server,
  mortalClient: client,
  mortalServer: server
}
