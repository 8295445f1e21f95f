/** Foreign peers that show any chain, however bad, and tell by number what they hear of it. */
import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { fatalAlertNumber } from "../harness/AlertText.ts"
import { gnuTlsClient, gnuTlsServer } from "../harness/GnuTls.ts"
import { HarnessError } from "../harness/HarnessError.ts"
import { nodeTlsClient, nodeTlsServer } from "../harness/NodeTls.ts"
import { alertNumberOfNodeError } from "../harness/NodeTlsAlert.ts"
import { openSslClient, openSslServer } from "../harness/OpenSsl.ts"
import { peerSuite } from "../harness/PeerSuite.ts"
import type { PeerProcess } from "../harness/Process.ts"
import { waitLimit } from "../harness/Watch.ts"
import * as Names from "./Names.ts"
import { type Chain, type ChainFiles, chainFiles, keyPem, pem, root } from "./RefusalsChains.ts"

export interface Hearing {
  /** Waits until it names the fatal alert that it received, by number. */
  readonly sawAlert: Effect.Effect<number, HarnessError>
}

export interface ShowingServer extends Hearing {
  readonly port: number
}

/** It shows the chain to whoever asks, and does not judge that of our side beyond what it always does. */
export interface ShowingPeer {
  readonly name: "openssl" | "gnutls" | "node:tls"
  /** With the staple, for clients that ask for it. */
  readonly server: (
    version: Names.Version,
    chain: Chain,
    staple?: Uint8Array
  ) => Effect.Effect<ShowingServer, HarnessError, Scope.Scope>
  readonly client: (
    version: Names.Version,
    port: number,
    chain: Chain
  ) => Effect.Effect<Hearing, HarnessError, Scope.Scope>
}

const printed = (process: PeerProcess): Hearing => ({
  sawAlert: process.until("a fatal alert", () => {
    const number = fatalAlertNumber(`${process.stdout}\n${process.stderr}`)
    return number === undefined ? undefined : Effect.succeed(number)
  })
})

const openSslVersion = { "1.2": "-tls1_2", "1.3": "-tls1_3" } as const

// A level below keeps it from loading a key of 1024 bits, and SHA-1.
const anyChain = ["-cipher", "DEFAULT:@SECLEVEL=0"]

const certChain = ({ chain }: ChainFiles) => chain === undefined ? {} : { chain }

const openssl: ShowingPeer = {
  name: "openssl",
  server: Effect.fnUntraced(function*(version, chain, staple) {
    const files = yield* chainFiles(chain, staple)
    const { port, process } = yield* openSslServer({
      version: openSslVersion[version],
      cert: files.cert,
      key: files.key,
      ...certChain(files),
      lineBuffered: true,
      extra: [...anyChain, ...(files.staple === undefined ? [] : ["-status_file", files.staple])]
    })
    return { port, ...printed(process) }
  }),
  client: Effect.fnUntraced(function*(version, port, chain) {
    const { cert, key, ...files } = yield* chainFiles(chain)
    const intermediates = files.chain === undefined ? [] : ["-cert_chain", files.chain]
    return printed(
      yield* openSslClient({
        version: openSslVersion[version],
        port,
        extra: [...anyChain, "-cert", cert, "-key", key, ...intermediates]
      })
    )
  })
}

// It looks at the key usage of its own certificate as well.
const anyUsage = (version: Names.Version) =>
  `${Names.gnuTlsPriority({ version })}:%DEBUG_ALLOW_KEY_USAGE_VIOLATIONS:%VERIFY_ALLOW_SIGN_WITH_SHA1`
const toldInFull = ["--debug", "5"]

const gnutls: ShowingPeer = {
  name: "gnutls",
  server: Effect.fnUntraced(function*(version, chain, staple) {
    const files = yield* chainFiles(chain, staple)
    const stapling = files.staple === undefined
      ? []
      : ["--ocsp-response", files.staple, "--ignore-ocsp-response-errors"]
    const { port, process } = yield* gnuTlsServer({
      cert: files.cert,
      key: files.key,
      priority: anyUsage(version),
      extra: [...toldInFull, ...stapling]
    })
    return { port, ...printed(process) }
  }),
  client: Effect.fnUntraced(function*(version, port, chain) {
    const { cert, key, root } = yield* chainFiles(chain)
    return printed(
      yield* gnuTlsClient({ port, caFile: root, cert, key, priority: anyUsage(version), extra: toldInFull })
    )
  })
}

const nodeVersion = {
  "1.2": { minVersion: "TLSv1.2", maxVersion: "TLSv1.2" },
  "1.3": { minVersion: "TLSv1.3", maxVersion: "TLSv1.3" }
} as const

const nodeOptions = (version: Names.Version, chain: Chain) => ({
  ...nodeVersion[version],
  ciphers: "DEFAULT@SECLEVEL=0",
  cert: pem(chain),
  key: keyPem(chain[0])
})

const heard = (waiting: Effect.Effect<Error, HarnessError>): Hearing => ({
  sawAlert: Effect.flatMap(waiting, (error) => {
    const number = alertNumberOfNodeError(error)
    return number === undefined
      ? Effect.fail(new HarnessError({ what: "not an alert", details: error.message }))
      : Effect.succeed(number)
  })
})

const nodeTls: ShowingPeer = {
  name: "node:tls",
  server: Effect.fnUntraced(function*(version, chain) {
    const server = yield* nodeTlsServer(nodeOptions(version, chain))
    return { port: server.port, ...heard(server.waitForClientError) }
  }),
  client: Effect.fnUntraced(function*(version, port, chain) {
    const client = yield* nodeTlsClient({ port, ca: pem([root]), ...nodeOptions(version, chain) })
    return heard(client.waitForError)
  })
}

type Register = (peer: ShowingPeer, test: typeof it, version: Names.Version) => void

const versions = ["1.2", "1.3"] as const

/** One suite for each peer whose server staples what it is given, and version: that of node:tls does so by an event alone. */
export const everyStaplingPeer = (title: string, register: Register): void => {
  for (const version of versions) {
    const called = (name: string) => `${title}: ${name}, TLS ${version}`
    peerSuite(["openssl", "stdbuf"], (it) => register(openssl, it, version), called("openssl"))
    peerSuite(["gnutls-cli", "gnutls-serv"], (it) => register(gnutls, it, version), called("gnutls"))
  }
}

/** One suite for each peer and version; those whose program is not installed skip by name. */
export const everyShowingPeer = (title: string, register: Register): void => {
  everyStaplingPeer(title, register)
  for (const version of versions) {
    describe(`${title}: node:tls, TLS ${version}`, { timeout: waitLimit * 3 }, () => register(nodeTls, it, version))
  }
}
