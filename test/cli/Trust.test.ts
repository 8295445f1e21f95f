/** Whom `connect` trusts (`--pin`, `--crl`, `--require-staple`), and what `serve` shows (pairs of files, `--staple`). */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { createHash } from "node:crypto"
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { nodeTlsClient } from "../harness/NodeTls.ts"
import { openSslServer } from "../harness/OpenSsl.ts"
import { peerSuite } from "../harness/PeerSuite.ts"
import { type ChainFiles, chainFiles, good, inner, leafOf, pem, root } from "../interop/RefusalsChains.ts"
import * as Make from "../x509/Maker.ts"
import { type Ended, runToEnd, serving } from "./Command.ts"

const request = "GET / HTTP/1.0\r\n\r\n"
const [leaf] = good
const lasting = { thisUpdate: "2020-01-01T00:00:00Z", nextUpdate: "2040-01-01T00:00:00Z" }
const staple = Make.staple(inner, leaf, lasting)

const to = (port: number, ...args: ReadonlyArray<string>) => ["connect", `localhost:${port}`, ...args]
const pairOf = ({ cert, key }: ChainFiles) => ["--cert", cert, "--key", key]

/** `serve` with the good chain, and `connect` to it. */
const place = Effect.gen(function*() {
  const files = yield* chainFiles(good, staple)
  return {
    files,
    write: (name: string, content: string) => {
      const path = join(files.directory, name)
      return Effect.as(Effect.promise(() => writeFile(path, content)), path)
    },
    connecting: (
      args: ReadonlyArray<string>,
      serve: ReadonlyArray<string> = []
    ) => Effect.flatMap(serving(...pairOf(files), ...serve), ({ port }) => runToEnd(to(port, ...args), request))
  }
})

const connected = ({ code, stderr, stdout }: Ended) => {
  assert.strictEqual(code, 0, stderr)
  assert.match(stdout, /^version +TLS 1\.3$/m)
}

const refused = ({ code, stderr }: Ended, expected: number, ...sentences: ReadonlyArray<string | RegExp>) => {
  assert.strictEqual(code, expected, stderr)
  for (const sentence of sentences) {
    if (typeof sentence === "string") assert.include(stderr, sentence)
    else assert.match(stderr, sentence)
  }
}

const digest = createHash("sha256").update(leaf.keys.publicKey.export({ format: "der", type: "spki" })).digest()
const hex = digest.toString("hex")
const other = "00".repeat(32)

describe("connect --pin", () => {
  const right: ReadonlyArray<readonly [string, ReadonlyArray<string>]> = [
    ["in upper case, with colons", [(hex.toUpperCase().match(/../g) ?? []).join(":")]],
    ["in Base64", [digest.toString("base64")]],
    ["the second of two", [other, hex]]
  ]
  it.live.each(right)("the key of the server, %s", ([, pins]) =>
    Effect.gen(function*() {
      const { connecting } = yield* place
      connected(yield* connecting(pins.flatMap((pin) => ["--pin", pin])))
    }))

  it.live("another key: certificate_unknown, and what was asked for", () =>
    Effect.gen(function*() {
      const { connecting } = yield* place
      refused(yield* connecting(["--pin", other]), 11, /certificate_unknown \(46\)/, /pin/)
    }))

  it.live.each([hex.slice(2), "zz".repeat(32), "AAAA"])(
    "%j is none",
    (pin) =>
      Effect.map(
        runToEnd(to(1, "--pin", pin)),
        (ended) => refused(ended, 1, `--pin cannot be used: ${JSON.stringify(pin)} is no SHA-256 hash`)
      )
  )
})

const crlPem = (...ders: ReadonlyArray<Uint8Array>) =>
  ders.map((der) => `-----BEGIN X509 CRL-----\n${Buffer.from(der).toString("base64")}\n-----END X509 CRL-----\n`).join(
    ""
  )

describe("connect --crl", () => {
  const judged = (...lists: ReadonlyArray<string>) =>
    Effect.gen(function*() {
      const { connecting, files, write } = yield* place
      const paths = yield* Effect.forEach(lists, (list, index) => write(`${index}.crl`, list))
      return yield* connecting(["--ca", files.root, ...paths.flatMap((path) => ["--crl", path])])
    })
  const naming = (serial: Uint8Array) => crlPem(Make.crl(inner, [serial], lasting))
  const ofRoot = (...serials: ReadonlyArray<Uint8Array>) => crlPem(Make.crl(root, serials, lasting))

  it.live("the certificate is not on it", () => Effect.map(judged(naming(Make.integer(7)), ofRoot()), connected))

  it.live("the certificate is on the second of two", () =>
    Effect.map(
      judged(ofRoot(), naming(leaf.serial)),
      (ended) => refused(ended, 11, /certificate_revoked \(44\)/, /because the certificate was revoked at 2025-06-01/)
    ))

  it.live("the authority is on it", () =>
    Effect.map(
      judged(ofRoot(inner.serial)),
      (ended) => refused(ended, 11, /certificate_revoked \(44\)/, /because certificate 1 of the chain was revoked/)
    ))

  it.live("two lists in one file", () =>
    Effect.map(judged(ofRoot() + naming(leaf.serial)), (ended) => refused(ended, 11, /certificate_revoked \(44\)/)))

  it.live("a file that cannot be used is named", () =>
    Effect.gen(function*() {
      const { files, write } = yield* place
      const target = to(1, "--ca", files.root)
      const fine = yield* write("fine.crl", ofRoot())
      const missing = join(files.directory, "missing")
      const text = yield* write("text.crl", "hello")
      const garbled = yield* write("garbled.crl", ofRoot() + crlPem(Uint8Array.of(0x30, 0)))
      for (
        const [path, sentence] of [
          [missing, `--crl ${missing} cannot be read: no such file.`],
          [text, `--crl ${text} cannot be used: `],
          [files.root, `--crl ${files.root} cannot be used: `],
          [garbled, `--crl ${garbled} cannot be used: `]
        ] as const
      ) {
        refused(yield* runToEnd([...target, "--crl", fine, "--crl", path]), 1, sentence)
      }
      refused(
        yield* runToEnd(to(1, "--crl", garbled)),
        1,
        `--crl ${garbled} cannot be used: revocation list 2 of 2 cannot be read: `
      )
    }))
})

describe("connect --require-staple", () => {
  it.live("to a server that staples", () =>
    Effect.gen(function*() {
      const { connecting, files } = yield* place
      const trusting = ["--ca", files.root, "--require-staple"]
      connected(yield* connecting(trusting, ["--staple", files.staple ?? ""]))
      refused(yield* connecting(trusting), 11, /bad_certificate_status_response \(113\)/, /none came/)
    }))

  it.live("a list of the issuer does as well", () =>
    Effect.gen(function*() {
      const { connecting, files, write } = yield* place
      const list = yield* write("inner.crl", crlPem(Make.crl(inner, [], lasting)))
      connected(yield* connecting(["--ca", files.root, "--require-staple", "--crl", list]))
    }))
})

peerSuite("openssl", (it) => {
  it.live.each(
    [
      ["good", staple, 0, /connected to/],
      ["revoked", Make.staple(inner, leaf, { ...lasting, status: "revoked" }), 11, /certificate_revoked \(44\)/],
      ["stale", Make.staple(inner, leaf, { ...lasting, nextUpdate: "2021-01-01T00:00:00Z" }), 11, /\(113\).*2021/]
    ] as const
  )("a staple of openssl that is %s", ([, der, code, sentence]) =>
    Effect.gen(function*() {
      const files = yield* chainFiles(good, der)
      const server = yield* openSslServer({
        cert: files.cert,
        key: files.key,
        chain: files.chain ?? "",
        version: "-tls1_3",
        mode: "www",
        extra: ["-status_file", files.staple ?? ""]
      })
      const ended = yield* runToEnd(to(server.port, "--ca", files.root, "--require-staple"), request)
      refused(ended, code, sentence)
    }))
}, "connect --require-staple, against openssl")

/** What a client that asks for the name, and for the status, is shown. */
const shownTo = (port: number, servername: string | undefined) =>
  Effect.scoped(Effect.gen(function*() {
    const client = yield* nodeTlsClient({
      port,
      ca: pem([root]),
      servername: servername ?? "",
      checkServerIdentity: () => undefined,
      requestOCSP: true,
      maxVersion: "TLSv1.3"
    })
    let told: Buffer | undefined
    client.socket.once("OCSPResponse", (response) => {
      told = response ?? undefined
    })
    yield* client.secured
    const { raw } = client.socket.getPeerCertificate()
    return { leaf: new Uint8Array(raw), staple: told === undefined ? undefined : new Uint8Array(told) }
  }))

const named = (...names: ReadonlyArray<string>) =>
  leafOf(inner, { extensions: [Make.keyUsage("digitalSignature"), Make.subjectAltName(names.map(Make.dns))] })
const [one, two] = [named("one.example"), named("two.example", "*.two.example")]

describe("serve, with several certificates", () => {
  it.live("the name that the client asks for decides; a staple goes with the certificate in its place", () =>
    Effect.gen(function*() {
      const [ofOne, ofTwo] = [Make.staple(inner, one, lasting), Make.staple(inner, two, lasting)]
      const [first, second] = [yield* chainFiles([one, inner], ofOne), yield* chainFiles([two, inner], ofTwo)]
      const [stapled, plain] = [
        yield* serving(...[first, second].flatMap((_) => [...pairOf(_), "--staple", _.staple ?? ""])),
        yield* serving(...pairOf(first), ...pairOf(second), "--staple", first.staple ?? "")
      ]
      for (
        const [name, made] of [
          ["one.example", one],
          ["two.example", two],
          ["a.two.example", two],
          // Nobody is for it: the first one.
          ["three.example", one],
          [undefined, one]
        ] as const
      ) {
        const both = yield* shownTo(stapled.port, name)
        assert.deepStrictEqual(both.leaf, made.der, name)
        assert.deepStrictEqual(both.staple, made === one ? ofOne : ofTwo, name)
        const firstAlone = yield* shownTo(plain.port, name)
        assert.deepStrictEqual(firstAlone.leaf, made.der, name)
        assert.deepStrictEqual(firstAlone.staple, made === one ? ofOne : undefined, name)
      }
    }))

  it.live("files that cannot be used are named", () =>
    Effect.gen(function*() {
      const [first, second] = [yield* chainFiles([one, inner]), yield* chainFiles([two, inner])]
      const missing = join(first.directory, "missing")
      const serve = ["serve", "--host", "127.0.0.1", "--port", "0", ...pairOf(first)]
      for (
        const [args, sentence] of [
          [
            ["--cert", second.cert, "--key", first.key],
            `--cert ${second.cert} and --key ${first.key} cannot be used: `
          ],
          [["--cert", missing, "--key", second.key], `--cert ${missing} cannot be read: no such file.`],
          [["--cert", second.cert, "--key", missing], `--key ${missing} cannot be read: no such file.`],
          [
            ["--cert", second.key, "--key", second.key],
            `--cert ${second.key} and --key ${second.key} cannot be used: `
          ],
          [["--staple", missing], `--staple ${missing} cannot be read: no such file.`]
        ] as const
      ) {
        refused(yield* runToEnd([...serve, ...args]), 1, sentence)
      }
    }))
})

const usage: ReadonlyArray<readonly [args: ReadonlyArray<string>, sentence: string]> = [
  [["connect", "--pin", hex, "--ca", "f"], "--ca and --pin exclude each other"],
  [["connect", "--pin", hex, "--insecure"], "--pin and --insecure exclude each other"],
  [["connect", "--ca", "f", "--insecure"], "--ca and --insecure exclude each other"],
  [["connect", "--crl", "f", "--insecure"], "--crl and --require-staple have no meaning with --pin or --insecure"],
  [["connect", "--crl", "f", "--pin", hex], "--crl and --require-staple have no meaning with --pin or --insecure"],
  [["connect", "--require-staple", "--insecure"], "--crl and --require-staple have no meaning with"],
  [["serve", "--cert", "a", "--cert", "b", "--key", "a"], "there are 2 of --cert and 1 of --key: they go in pairs"],
  [["serve", "--cert", "a", "--key", "a", "--key", "b"], "there are 1 of --cert and 2 of --key: they go in pairs"],
  [
    ["serve", "--cert", "a", "--key", "a", "--staple", "a", "--staple", "b"],
    "there are more of --staple than of --cert"
  ]
]

describe("2: flags that do not go together", () => {
  it.live.each(usage)("%j", ([[command = "", ...args], sentence]) =>
    Effect.gen(function*() {
      const rest = command === "serve" ? ["--port", "0"] : ["localhost:1"]
      refused(yield* runToEnd([command, ...rest, ...args]), 2, sentence)
    }))
})
