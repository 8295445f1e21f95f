import * as Effect from "effect/Effect"
import { existsSync } from "node:fs"
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { namedGroupName } from "../../src/wire/CodePoints.ts"
import { openSslClient, openSslServer } from "../harness/OpenSsl.ts"
import { type PkiFiles, pkiFiles } from "../harness/PkiFiles.ts"
import { type Facts, type ForeignOptions, type ForeignPeer, printed, printedEnd } from "./Foreign.ts"
import * as Names from "./Names.ts"

const argumentsOf = (options: ForeignOptions): ReadonlyArray<string> =>
  [
    ["-trace"],
    options.suites === undefined ? [] : ["-cipher", options.suites.map(Names.openSslSuite).join(":")],
    options.groups === undefined ? [] : ["-groups", options.groups.map(Names.openSslGroup).join(":")],
    options.schemes === undefined ? [] : ["-sigalgs", options.schemes.join(":")],
    // Its security level refuses the signatures of TLS 1.1.
    options.version === "1.1" ? ["-cipher", "DEFAULT:@SECLEVEL=0"] : [],
    options.alpnProtocol === undefined ? [] : ["-alpn", options.alpnProtocol]
  ].flat()

const versions = { "1.1": "-tls1_1", "1.2": "-tls1_2", "1.3": "-tls1_3" } as const

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

/** What `-trace` shows of the messages, which is the same at both ends. */
const facts = (output: string): Facts => {
  const serverHello = printed(output, /ServerHello, Length=([^]*?)^(?:Sent|Received) Record/m)
  return {
    suite: Names.suiteNames.find((name) => name === printed(serverHello ?? "", /cipher_suite \{.*\} (\w+)/)),
    group: namedGroupName(Number(printed(output, /named_curve: .*\((\d+)\)$/m))),
    scheme: Names.schemeOf(printed(output, /ServerKeyExchange, Length=[^]*?Signature Algorithm: (\w+) /)),
    isExtended: serverHello?.includes("extended_master_secret"),
    isResumed: !output.includes("ServerHelloDone, Length="),
    alpnProtocol: printed(output, /^ALPN protocols?(?: selected)?: (\S+)$/m),
    clientName: printed(output, /^Peer certificate: CN = (.+)$/m),
    serverName: printed(output, /extension_type=server_name\(0\), length=\d+\n.* {3,}\.{5}(\S+)\n/)
  }
}

// The trace and the summaries of client and server do not come by the same stream.
const established = (output: string): boolean =>
  [...output.matchAll(/Finished, Length=/g)].length === 2 &&
  /^ {4}Extended master secret: .*\n|^(?:No peer certificate|Verification.*)\n/m.test(output)

const says = { established, facts, close: /^SSL3 alert read:warning:close notify$/m }

const filesFor = (options: ForeignOptions, fallback: ForeignOptions["identity"]) => {
  const identity = options.identity ?? fallback
  return Effect.map(identity === undefined ? pkiFiles() : pkiFiles(identity), (files) => ({
    files,
    credential: identity === undefined ? undefined : files.of(identity),
    root: files[options.trust ?? "ca"]
  }))
}

/** `openssl s_client` and `openssl s_server -rev`. */
export const openssl: ForeignPeer = {
  name: "openssl",
  client: Effect.fnUntraced(function*(options) {
    const { credential, files, root } = yield* filesFor(options, undefined)
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
      ...printedEnd(process, says),
      send: process.send,
      close: process.endInput,
      session: Effect.sync(() => existsSync(session) ? session : undefined)
    }
  }),
  server: Effect.fnUntraced(function*(options = {}) {
    const { credential, files, root } = yield* filesFor(options, "ec")
    if (credential === undefined) return yield* Effect.die(new Error("a server has a credential"))
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
    return { port, next: Effect.sync(() => printedEnd(process, says)) }
  })
}
