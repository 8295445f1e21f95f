import * as Effect from "effect/Effect"
import { existsSync } from "node:fs"
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { namedGroupName } from "../../src/wire/CodePoints.ts"
import { openSslClient, openSslServer } from "../harness/OpenSsl.ts"
import type { PkiFiles } from "../harness/PkiFiles.ts"
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

const argumentsOf = (options: ForeignOptions): ReadonlyArray<string> =>
  [
    options.isQuiet === true ? ["-quiet", "-no_ign_eof"] : ["-trace"],
    options.suites === undefined ? [] : [
      options.suites.some(Names.isOf13) ? "-ciphersuites" : "-cipher",
      options.suites.map(Names.openSslSuite).join(":")
    ],
    options.groups === undefined ? [] : ["-groups", options.groups.map(Names.openSslGroup).join(":")],
    options.schemes === undefined ? [] : ["-sigalgs", options.schemes.join(":")],
    // Its security level refuses the signatures of TLS 1.1.
    options.version === "1.1" ? ["-cipher", "DEFAULT:@SECLEVEL=0"] : [],
    options.alpnProtocol === undefined ? [] : ["-alpn", options.alpnProtocol]
  ].flat()

const versions = { "1.1": "-tls1_1", "1.2": "-tls1_2", "1.3": "-tls1_3", both: "both" } as const

const versionOf = ({ version }: ForeignOptions) => version === undefined ? {} : { version: versions[version] }

// There is no option for it on the command line.
const noExtendedMasterSecret = `openssl_conf = conf
[conf]
ssl_conf = ssl
[ssl]
system_default = defaults
[defaults]
Options = -ExtendedMasterSecret
`

const confOf = (options: ForeignOptions, files: PkiFiles): Effect.Effect<{ readonly conf?: string }> => {
  if (options.isExtended !== false) return Effect.succeed({})
  const conf = join(files.directory, "openssl.cnf")
  return Effect.as(Effect.promise(() => writeFile(conf, noExtendedMasterSecret)), { conf })
}

/** The name in a server_name extension, from a dump of its bytes: after two lengths and a type. */
const serverNameIn = (dump: string | undefined): string | undefined => {
  const bytes = dump?.split("\n").flatMap((line) =>
    line.slice(line.indexOf(" - ") + 3).match(/^(?:[\da-f]{2}[ -])+/) ?? []
  )
  return bytes === undefined
    ? undefined
    : Buffer.from(bytes.join("").replaceAll(/[ -]/g, ""), "hex").toString("latin1", 5)
}

/** What `-trace` shows of the messages, which is the same at both ends. */
const facts = (output: string): Facts => {
  // The last one: what comes before it is a HelloRetryRequest.
  const [, serverHello = ""] = [...output.matchAll(/ServerHello, Length=([^]*?)^(?:Sent|Received) Record/mg)].at(-1) ??
    []
  const is13 = serverHello.includes("supported_versions")
  return {
    suite: Names.suiteNamed(printed(serverHello, /cipher_suite \{.*\} (\w+)/)),
    group: namedGroupName(
      Number(printed(serverHello, /NamedGroup: .*\((\d+)\)$/m) ?? printed(output, /named_curve: .*\((\d+)\)$/m))
    ),
    // The server is the first to sign.
    scheme: Names.schemeOf(
      printed(output, /(?:ServerKeyExchange|CertificateVerify), Length=[^]*?Signature Algorithm: (\w+) /)
    ),
    isExtended: is13 ? undefined : serverHello.includes("extended_master_secret"),
    isResumed: !/(?:ServerHelloDone|CertificateVerify), Length=/.test(output),
    alpnProtocol: printed(output, /^ALPN protocols?(?: selected)?: (\S+)$/m),
    clientName: printed(output, /^Peer certificate: CN = (.+)$/m),
    serverName: serverNameIn(printed(output, /extension_type=server_name\(0\), length=\d+\n((?: +[\da-f]{4} - .*\n)+)/))
  }
}

// The trace and the summaries of client and server do not come by the same stream.
const established = (output: string): boolean =>
  [...output.matchAll(/Finished, Length=/g)].length === 2 &&
  /^ {4}Extended master secret: .*\n|^(?:No peer certificate|Verify return code: .*|Verification.*)\n/m.test(output)

const says = {
  established,
  facts,
  warning: (number: number) => new RegExp(`Level=warning\\(1\\), description=.*\\(${number}\\)`),
  close: /^SSL3 alert read:warning:close notify$/m,
  // of its server: the alert that OpenSSL answers an unexpected end with (never seen by who has gone)
  truncation: /unexpected eof while reading|^SSL3 alert write:fatal:decode error$/m
}

const client = Effect.fnUntraced(function*(options: ForeignClientOptions) {
  const { credential, files, root } = yield* filesOf(options)
  const session = join(files.directory, "session.pem")
  const process = yield* openSslClient({
    ...(yield* confOf(options, files)),
    ...versionOf(options),
    port: options.port,
    caFile: root,
    ...(options.serverName === undefined ? {} : { serverName: options.serverName }),
    extra: [
      ...argumentsOf(options),
      "-no_ticket",
      "-nocommands",
      "-sess_out",
      session,
      ...(options.isFallback === true ? ["-fallback_scsv"] : []),
      ...(options.resume === undefined ? [] : ["-sess_in", String(options.resume)]),
      ...(credential === undefined ? [] : ["-cert", credential.cert, "-key", credential.key])
    ]
  })
  return {
    ...printedClient(process, says),
    session: Effect.sync(() => existsSync(session) ? session : undefined)
  }
})

const server = Effect.fnUntraced(function*(options: ForeignServerOptions = {}) {
  const { credential, files, root } = yield* serverFilesOf(options)
  const { port, process } = yield* openSslServer({
    ...(yield* confOf(options, files)),
    ...versionOf(options),
    ...credential,
    lineBuffered: true,
    extra: [
      ...argumentsOf(options),
      "-no_ticket",
      ...(options.clientAuth === undefined
        ? []
        : ["-CAfile", root, options.clientAuth === "require" ? "-Verify" : "-verify", "1", "-verify_return_error"])
    ]
  })
  return { port, next: Effect.sync(() => printedEnd(process, says)), kill: process.kill("SIGKILL") }
})

/** `openssl s_client` and `openssl s_server -rev`. */
export const openssl: ForeignPeer = {
  name: "openssl",
  client,
  server,
  mortalClient: client,
  mortalServer: server
}
