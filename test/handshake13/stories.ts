/** What the puppet says of itself, and where a script has it say something else. */
import * as Effect from "effect/Effect"
import type { Certificate13 } from "../../src/message/Certificate13.ts"
import type { ClientHello } from "../../src/message/ClientHello.ts"
import { type Extension, findExtension } from "../../src/message/Extension.ts"
import type { HandshakeMessageOf } from "../../src/message/HandshakeMessage.ts"
import { isHelloRetryRequest, makeHelloRetryRandom, type ServerHello } from "../../src/message/ServerHello.ts"
import { make as primitives } from "../../src/platform/NodePrimitives.ts"
import * as KeySchedule from "../../src/secret/KeySchedule13.ts"
import type { KeyShare } from "../../src/secret/Primitives.ts"
import type { Credential } from "../../src/service/Identity.ts"
import type { Session } from "../../src/service/Session.ts"
import { empty } from "../../src/wire/Bytes.ts"
import { NamedGroup, ProtocolVersion, SignatureScheme } from "../../src/wire/CodePoints.ts"
import { unbound } from "./keys.ts"
import type { Puppet, Side } from "./puppet.ts"

/** Everything that one side says until it is done. */
export interface Said {
  readonly ClientHello: ClientHello
  /** After a HelloRetryRequest. */
  readonly SecondHello: ClientHello
  readonly HelloRetryRequest: ServerHello
  readonly ServerHello: ServerHello
  readonly EncryptedExtensions: HandshakeMessageOf<"EncryptedExtensions">
  readonly CertificateRequest: HandshakeMessageOf<"CertificateRequest13">
  readonly Certificate: Certificate13
  readonly CertificateVerify: HandshakeMessageOf<"CertificateVerify">
  readonly Finished: HandshakeMessageOf<"Finished">
}

export type Unit = keyof Said

/** Says the message that is due in another way. By default `puppet.say(message)`. */
export type Moves = { readonly [U in Unit]?: (puppet: Puppet, message: Said[U]) => void }

export interface Script {
  readonly moves?: Moves
  /** A server asks for another share first. */
  readonly retries?: boolean
  /** A server asks for a certificate. */
  readonly asks?: boolean
  /** What a client offers, and a server accepts. */
  readonly session?: Session | undefined
  /** How the server agrees: by default an X25519 share of its own. */
  readonly group?: NamedGroup
  /** A client shows no certificate. */
  readonly isShy?: boolean
  /** What to show. */
  readonly credential?: Credential
  readonly scheme?: SignatureScheme
  /** Whom the signed text is said to be of: by default who signs. */
  readonly signer?: Side
  /** On the open connection: by default `greeting`, then close_notify. */
  readonly open?: (puppet: Puppet) => Effect.Effect<void>
  /** Something else altogether. */
  readonly story?: (puppet: Puppet) => Effect.Effect<void>
  /** No ChangeCipherSpec. */
  readonly isBare?: boolean
}

export const greeting = "hello"

export const greets = (puppet: Puppet): Effect.Effect<void> =>
  Effect.sync(() => {
    puppet.data(greeting)
    puppet.closeNotify()
  })

const sayer = (puppet: Puppet, moves: Moves = {}) => <U extends Unit>(unit: U, message: Said[U]): void => {
  const move = moves[unit]
  if (move === undefined) puppet.say(message)
  else move(puppet, message)
}

const certificateOf = (credential: Credential | undefined): Certificate13 => ({
  _tag: "Certificate13",
  context: empty,
  entries: (credential?.chain ?? []).map((certificate) => ({ certificate, extensions: [] }))
})

/** Signs what was said so far, as whoever `signer` says it is. */
const signature = (
  puppet: Puppet,
  signer: Side,
  credential: Credential,
  scheme: SignatureScheme
): Effect.Effect<HandshakeMessageOf<"CertificateVerify">> =>
  Effect.map(
    Effect.orDie(credential.sign(scheme, KeySchedule.signedContent(signer, puppet.transcript.digest()))),
    (signature) => ({ _tag: "CertificateVerify", signatureScheme: SignatureScheme[scheme], signature })
  )

const shareOf = ({ extensions }: ClientHello | ServerHello, group: NamedGroup): Uint8Array => {
  const shares = findExtension(extensions, "KeyShares")?.shares ?? []
  const share = shares.find((share) => share.group === NamedGroup[group])
  if (share === undefined) throw new Error(`the subject has no share of ${group}`)
  return share.publicKey
}

const secretOf = (session: Session | undefined): Uint8Array | undefined =>
  session === undefined ? undefined : session.secret.bytes.slice()

// Of any use to a server, in an order that the shares can keep.
const groups = {
  x25519mlkem768: NamedGroup.x25519mlkem768,
  x25519: NamedGroup.x25519,
  secp256r1: NamedGroup.secp256r1,
  secp384r1: NamedGroup.secp384r1,
  secp521r1: NamedGroup.secp521r1
} as const satisfies Record<NamedGroup, number>

export const helloOf = (
  puppet: Pick<Puppet, "suite">,
  shares: ReadonlyArray<KeyShare>,
  session: Session | undefined
): ClientHello => ({
  _tag: "ClientHello",
  version: ProtocolVersion.tls12,
  random: new Uint8Array(32).fill(0xc1),
  sessionId: new Uint8Array(32).fill(0x1d),
  cipherSuites: [puppet.suite.id],
  compressionMethods: [0],
  extensions: [
    { _tag: "ServerName", name: "server.test" },
    { _tag: "SupportedGroups", groups: Object.values(groups) },
    { _tag: "SignatureAlgorithms", schemes: [SignatureScheme.ecdsa_secp256r1_sha256] },
    { _tag: "SupportedVersions", versions: [ProtocolVersion.tls13] },
    { _tag: "KeyShares", shares: shares.map(({ group, publicKey }) => ({ group: NamedGroup[group], publicKey })) },
    { _tag: "PskKeyExchangeModes", modes: [1] },
    ...session === undefined ? [] : [offerOf(puppet, session)]
  ]
})

export const offerOf = (puppet: Pick<Puppet, "suite">, session: Session): Extension => ({
  _tag: "PreSharedKeys",
  offers: [{ identity: session.id, obfuscatedAge: session.ageAdd, binder: unbound(puppet.suite) }],
  selected: undefined
})

const answerOf = (puppet: Puppet, hello: ClientHello, extensions: ReadonlyArray<Extension>): ServerHello => ({
  _tag: "ServerHello",
  version: ProtocolVersion.tls12,
  random: new Uint8Array(32).fill(0x51),
  sessionId: hello.sessionId,
  cipherSuite: puppet.suite.id,
  compressionMethod: 0,
  extensions: [{ _tag: "SupportedVersions", versions: [ProtocolVersion.tls13] }, ...extensions]
})

/** RFC 8446 section 2, as the server. */
export const serve = Effect.fnUntraced(function*(puppet: Puppet, script: Script) {
  const say = sayer(puppet, script.moves)
  const { credential, group = script.retries === true ? "secp256r1" : "x25519", session } = script
  const { suite } = puppet
  let hello = yield* puppet.expect("ClientHello")
  if (script.retries === true) {
    puppet.transcript.collapseFirst(primitives, suite.hash)
    const random = makeHelloRetryRandom()
    const share: Extension = { _tag: "KeyShares", shares: [{ group: NamedGroup[group], publicKey: empty }] }
    say("HelloRetryRequest", { ...answerOf(puppet, hello, [share]), random })
    if (script.isBare !== true) puppet.ccs()
    hello = yield* puppet.expect("ClientHello")
  }
  const psk = secretOf(session)
  if (psk !== undefined) puppet.checkBinder(psk, hello)
  puppet.transcript.start(primitives, suite.hash)
  const mine = primitives.respond(group, shareOf(hello, group))
  if (mine === undefined) throw new Error("the share of the subject is not valid")
  say(
    "ServerHello",
    answerOf(puppet, hello, [
      { _tag: "KeyShares", shares: [{ group: NamedGroup[group], publicKey: mine.publicKey }] },
      ...session === undefined ? [] : [{ _tag: "PreSharedKeys", offers: [], selected: 0 } as const]
    ])
  )
  const secrets = puppet.agree(mine.secret, psk)
  if (script.retries !== true && script.isBare !== true) puppet.ccs()
  puppet.write("handshake", secrets.server)
  puppet.read("handshake", secrets.client)
  say("EncryptedExtensions", { _tag: "EncryptedExtensions", extensions: [] })
  if (script.asks === true) {
    say("CertificateRequest", {
      _tag: "CertificateRequest13",
      context: empty,
      extensions: [{ _tag: "SignatureAlgorithms", schemes: [SignatureScheme.ecdsa_secp256r1_sha256] }]
    })
  }
  if (session === undefined) {
    if (credential === undefined) throw new Error("a server without a session shows a certificate")
    say("Certificate", certificateOf(credential))
    const scheme = script.scheme ?? "ecdsa_secp256r1_sha256"
    say("CertificateVerify", yield* signature(puppet, script.signer ?? "server", credential, scheme))
  }
  say("Finished", puppet.finished("server"))
  const traffic = puppet.application()
  puppet.write("application", traffic.server)
  if (script.asks === true) {
    const { entries } = yield* puppet.expect("Certificate13")
    if (entries.length > 0) yield* puppet.expect("CertificateVerify")
  }
  yield* puppet.expectFinished()
  puppet.read("application", traffic.client)
  yield* (script.open ?? greets)(puppet)
})

/** RFC 8446 section 2, as the client. */
export const call = Effect.fnUntraced(function*(puppet: Puppet, script: Script) {
  const say = sayer(puppet, script.moves)
  const { credential, group = "x25519", session } = script
  puppet.psk = secretOf(session)
  let shares = [primitives.keyShare(group)]
  const hello = helloOf(puppet, shares, session)
  say("ClientHello", hello)
  let answer = yield* puppet.expect("ServerHello")
  const isRetried = isHelloRetryRequest(answer)
  if (isRetried) {
    puppet.collapseFirst()
    const wanted = findExtension(answer.extensions, "KeyShares")?.shares[0]?.group
    shares = [primitives.keyShare(wanted === NamedGroup.secp256r1 ? "secp256r1" : "x25519")]
    if (script.isBare !== true) puppet.ccs()
    say("SecondHello", helloOf(puppet, shares, session))
    answer = yield* puppet.expect("ServerHello")
  }
  puppet.transcript.start(primitives, puppet.suite.hash)
  const mine = shares[0]
  const shared = mine?.agree(shareOf(answer, mine.group))
  if (shared === undefined) throw new Error("the share of the subject is not valid")
  const isResumed = findExtension(answer.extensions, "PreSharedKeys") !== undefined
  const secrets = puppet.agree(shared, isResumed ? puppet.psk?.slice() : undefined)
  puppet.read("handshake", secrets.server)
  yield* puppet.expect("EncryptedExtensions")
  let isAsked = false
  if (!isResumed) {
    const next = yield* puppet.expect("CertificateRequest13", "Certificate13")
    isAsked = next._tag === "CertificateRequest13"
    if (isAsked) yield* puppet.expect("Certificate13")
    yield* puppet.expect("CertificateVerify")
  }
  yield* puppet.expectFinished()
  const traffic = puppet.application()
  puppet.read("application", traffic.server)
  if (!isRetried && script.isBare !== true) puppet.ccs()
  puppet.write("handshake", secrets.client)
  if (isAsked) {
    say("Certificate", certificateOf(credential))
    if (credential !== undefined) {
      const scheme = script.scheme ?? "ecdsa_secp256r1_sha256"
      say("CertificateVerify", yield* signature(puppet, script.signer ?? "client", credential, scheme))
    }
  }
  say("Finished", puppet.finished("client"))
  puppet.write("application", traffic.client)
  yield* (script.open ?? greets)(puppet)
})
