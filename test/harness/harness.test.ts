import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { X509Certificate } from "node:crypto"
import { existsSync } from "node:fs"
import { alertNumberSent, fatalAlertNumber, openSslAlerts } from "./AlertText.ts"
import { isInstalled } from "./Availability.ts"
import { freePort } from "./FreePort.ts"
import { gnuTlsClient, gnuTlsServer } from "./GnuTls.ts"
import { nodeTlsClient, nodeTlsServer } from "./NodeTls.ts"
import { alertNumberOfNodeError } from "./NodeTlsAlert.ts"
import { openSslClient, openSslServer } from "./OpenSsl.ts"
import { peerSuite, suiteMode } from "./PeerSuite.ts"
import { leafNames, testCredential, testPki } from "./Pki.ts"
import { pkiFiles } from "./PkiFiles.ts"
import { spawnPeer } from "./Process.ts"
import { rawClient, rawServer } from "./RawTcp.ts"
import { cut, tamperingProxy } from "./TamperingProxy.ts"
import { alertRecord, contentType, contentTypes, flipBits, makeRecord, splitRecords } from "./TlsRecords.ts"

const badRecordMac = 20
const unknownCa = 48

/** A node:tls server and what its clients trust. */
const echoServer = Effect.gen(function*() {
  const pki = yield* testPki
  const { certificatePem: cert, privateKeyPem: key } = yield* testCredential("ec")
  return { server: yield* nodeTlsServer({ cert, key, echo: true }), ca: pki.ca.certificatePem }
})

describe("the PKI", () => {
  it.live.each(leafNames)("%s chains up to its root", (name) =>
    Effect.gen(function*() {
      const pki = yield* testPki
      const { chainDer, privateKeyPem } = yield* testCredential(name)
      const roots = [pki.ca, pki.other].map((root) => new X509Certificate(root.certificateDer))
      const chain = chainDer.map((der) => new X509Certificate(der))
      const [leaf] = chain
      assert.ok(leaf !== undefined)
      assert.match(privateKeyPem, /^-----BEGIN PRIVATE KEY-----\n/)
      assert.ok(!leaf.ca)
      for (const [index, certificate] of chain.entries()) {
        const issuer = name === "selfSigned"
          ? leaf
          : chain[index + 1] ?? roots.find((root) => certificate.checkIssued(root))
        assert.ok(issuer !== undefined && certificate.verify(issuer.publicKey))
        assert.strictEqual(certificate.issuer, issuer.subject)
      }
    }))

  it.live("names, validities and roots are as their names say", () =>
    Effect.gen(function*() {
      const pki = yield* testPki
      const leaf = (name: typeof leafNames[number]) =>
        Effect.map(testCredential(name), ({ leafDer }) => new X509Certificate(leafDer))
      const ec = yield* leaf("ec")
      for (const host of ["localhost", "test.example"]) assert.strictEqual(ec.checkHost(host), host)
      for (const ip of ["127.0.0.1", "::1"]) assert.strictEqual(ec.checkIP(ip), ip)
      assert.strictEqual((yield* leaf("wrongHost")).checkHost("localhost"), undefined)
      assert.ok(new Date((yield* leaf("expired")).validTo) < pki.issuedAt)
      assert.ok(new Date((yield* leaf("future")).validFrom) > pki.issuedAt)
      assert.ok((yield* leaf("untrusted")).checkIssued(new X509Certificate(pki.other.certificateDer)))
      assert.strictEqual((yield* leaf("ec521")).publicKey.asymmetricKeyDetails?.namedCurve, "secp521r1")
      assert.strictEqual((yield* testCredential("chain")).chainDer.length, 2)
      assert.strictEqual(yield* testCredential("ec"), yield* testCredential("ec"), "memoised")
    }))

  it.live("its files vanish with the scope", () =>
    Effect.gen(function*() {
      const files = yield* Effect.scoped(Effect.map(pkiFiles("ec"), (files) => {
        assert.ok(existsSync(files.of("ec").key))
        assert.throws(() => files.of("rsa"), /"rsa" was not among those written: ec/)
        return files
      }))
      assert.ok(!existsSync(files.directory))
    }))
})

describe("alerts as foreign peers print them", () => {
  it("openssl, gnutls", () => {
    const fatal: ReadonlyArray<readonly [string, number]> = [
      ["SSL3 alert read:fatal:unknown CA\n", unknownCa],
      ["SSL3 alert read:fatal:unknown\n…:SSL alert number 116\n", 116],
      ["*** Received alert [48]: CA is unknown\n*** Fatal error: A TLS fatal alert has been received.\n", unknownCa],
      ["|<5>| REC[0x1]: Alert[2|45] - Certificate expired - was received\n", 45],
      ["SSL3 alert read:warning:close notify\nSSL3 alert read:fatal:bad record mac\n", badRecordMac]
    ]
    for (const [output, number] of fatal) assert.strictEqual(fatalAlertNumber(output), number, output)
    const others = [
      "SSL3 alert read:warning:close notify\n",
      // Of TLS 1.3, where OpenSSL makes an error of it whatever its level.
      "SSL3 alert read:warning:unknown CA\n…:SSL alert number 48\n",
      "SSL3 alert write:fatal:decode error\n",
      "*** Received alert [100]: No renegotiation is allowed\n",
      "*** Received alert [40]: Handshake failed\n*** Non fatal error: A TLS warning alert has been received.\n",
      "|<5>| REC[0x1]: Alert[1|0] - Close notify - was received\n",
      "|<5>| REC[0x1]: Alert[2|45] - Certificate expired - was sent\n"
    ]
    for (const output of others) assert.strictEqual(fatalAlertNumber(output), undefined, output)
    assert.strictEqual(alertNumberSent("SSL3 alert write:fatal:decode error\n"), 50)
    assert.deepStrictEqual(openSslAlerts("x\nSSL3 alert write:warning:close notify\n"), [
      { direction: "write", level: "warning", number: 0 }
    ])
  })

  it("node:tls", () => {
    const coded = (code: string) => alertNumberOfNodeError(Object.assign(new Error("…"), { code }))
    assert.strictEqual(coded("ERR_SSL_TLSV1_ALERT_UNKNOWN_CA"), unknownCa)
    assert.strictEqual(coded("ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE"), 40)
    assert.strictEqual(coded("ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED"), 116)
    assert.strictEqual(coded("ERR_SSL_TLSV1_UNRECOGNIZED_NAME"), 112)
    assert.strictEqual(coded("ERR_SSL_DECRYPTION_FAILED_OR_BAD_RECORD_MAC"), undefined)
    assert.strictEqual(coded("ECONNRESET"), undefined)
    assert.strictEqual(alertNumberOfNodeError(new Error("…:SSL alert number 200")), 200)
    assert.strictEqual(alertNumberOfNodeError("no error"), undefined)
  })
})

describe("peers that may be missing", () => {
  it("are looked for on the PATH", () => {
    assert.ok(isInstalled("env"))
    assert.ok(!isInstalled("env", "/nonexistent"))
  })

  it("skip their suites by name, or fail them", () => {
    const installed = new Set(["openssl", "stdbuf"] as const)
    assert.deepStrictEqual(suiteMode(["openssl"], installed, true), { _tag: "Run" })
    assert.deepStrictEqual(suiteMode(["openssl", "gnutls-cli"], installed, false), {
      _tag: "Skip",
      why: "gnutls-cli is not installed"
    })
    assert.deepStrictEqual(suiteMode(["gnutls-serv"], installed, true), {
      _tag: "Fail",
      why: "gnutls-serv is not installed"
    })
  })
})

describe("processes", () => {
  const node = (script: string) => spawnPeer(process.execPath, ["-e", script])

  it.live("a wait for output that cannot come says what did come", () =>
    Effect.gen(function*() {
      const peer = yield* node("console.log('out'); console.error('err'); process.exitCode = 3")
      const error = yield* Effect.flip(peer.waitFor(/never/))
      assert.match(error.message, /exited \(3\) before output matching \/never\/[^]*stdout:\nout[^]*stderr:\nerr/)
      assert.strictEqual(yield* peer.exit, 3)
    }))

  it.live("input, end of input, signals", () =>
    Effect.gen(function*() {
      const cat = yield* node("process.stdin.pipe(process.stdout)")
      yield* cat.send("one\n")
      yield* cat.waitFor(/one\n/)
      const mark = cat.output.length
      yield* cat.send("two\n")
      assert.strictEqual((yield* cat.waitFor(/\w+\n/, mark))[0], "two\n")
      yield* cat.endInput
      assert.strictEqual(yield* cat.exit, 0)
      const idle = yield* node("setInterval(() => {}, 1000)")
      yield* idle.kill("SIGTERM")
      assert.strictEqual(yield* idle.exit, 128 + 15)
    }))

  it.live("a command that does not exist", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(spawnPeer("effect-tls-no-such-command", []))
      assert.match(error.message, /cannot start: .*ENOENT/)
    }))

  it.live("the scope kills what still lives", () =>
    Effect.gen(function*() {
      const idle = yield* Effect.scoped(node("process.on('SIGTERM', () => {}); setInterval(() => {}, 1000)"))
      assert.strictEqual(yield* idle.exit, 128 + 9)
    }))
})

describe("raw TCP", () => {
  it.live("records, FIN, RST", () =>
    Effect.gen(function*() {
      const server = yield* rawServer
      const client = yield* rawClient(server.port)
      const peer = yield* server.accept
      const records = [alertRecord(2, 40), makeRecord(contentTypes.handshake, Uint8Array.of(14, 0, 0, 0))]
      const [first, second] = records
      assert.ok(first !== undefined && second !== undefined)
      yield* client.send(first)
      yield* client.send(second.subarray(0, 6))
      assert.deepStrictEqual(yield* peer.waitForRecords(1), [first])
      yield* client.send(second.subarray(6))
      assert.deepStrictEqual(yield* peer.waitForRecords(2), records)
      yield* client.end
      yield* peer.waitForEnd
      yield* peer.send("still open")
      yield* client.waitForText(/still open/)
      yield* peer.reset
      assert.strictEqual(Reflect.get(yield* client.waitForError, "code"), "ECONNRESET")
      assert.deepStrictEqual(yield* client.waitForClose, { hadError: true })
    }))

  it("splits at any cut", () => {
    const stream = Uint8Array.of(...alertRecord(1, 0), ...alertRecord(2, 20))
    for (let length = 0; length <= stream.length; length++) {
      const { records, rest } = splitRecords(stream.subarray(0, length))
      assert.strictEqual(records.length, Math.floor(length / 7))
      assert.strictEqual(rest.length, length % 7)
    }
  })

  it.live("a free port has nobody on it", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(rawClient(yield* freePort))
      assert.match(error.message, /cannot connect/)
    }))
})

describe("node:tls against node:tls", () => {
  it.live("echo and a clean end", () =>
    Effect.gen(function*() {
      const { ca, server } = yield* echoServer
      const client = yield* nodeTlsClient({ port: server.port, ca })
      yield* client.secured
      assert.strictEqual(client.socket.getProtocol(), "TLSv1.2")
      yield* client.send("hello")
      yield* client.waitForText(/hello/)
      yield* client.end
      yield* (yield* server.accept).waitForEnd
      assert.deepStrictEqual(yield* client.waitForClose, { hadError: false })
    }))

  it.live("a reset below the TLS", () =>
    Effect.gen(function*() {
      const { ca, server } = yield* echoServer
      const client = yield* nodeTlsClient({ port: server.port, ca })
      yield* client.secured
      yield* (yield* server.accept).reset
      assert.strictEqual(Reflect.get(yield* client.waitForError, "code"), "ECONNRESET")
    }))

  it.live("a failed handshake", () =>
    Effect.gen(function*() {
      const { ca, server } = yield* echoServer
      const client = yield* nodeTlsClient({ port: server.port, ca, ciphers: "ECDHE-RSA-AES128-GCM-SHA256" })
      assert.match((yield* Effect.flip(client.secured)).message, /closed before the end of the handshake/)
      assert.strictEqual(alertNumberOfNodeError(yield* client.waitForError), 40)
      assert.match((yield* server.waitForClientError).message, /no shared cipher/)
    }))
})

describe("the tampering proxy", () => {
  const echoed = Effect.fnUntraced(function*(port: number, ca: string) {
    const client = yield* nodeTlsClient({ port, ca })
    yield* client.secured
    yield* client.send("hello")
    return client
  })

  it.live("passes what it does not touch", () =>
    Effect.gen(function*() {
      const { ca, server } = yield* echoServer
      const proxy = yield* tamperingProxy({ to: server.port, onRecord: (_direction, _index, record) => record })
      const client = yield* echoed(proxy.port, ca)
      yield* client.waitForText(/hello/)
      yield* client.end
      assert.deepStrictEqual(yield* client.waitForClose, { hadError: false })
      assert.strictEqual(contentType(proxy.seen.clientToServer[0] ?? new Uint8Array()), contentTypes.handshake)
      const types = proxy.seen.clientToServer.map(contentType)
      assert.ok(types.includes(contentTypes.applicationData) && types.includes(contentTypes.alert))
    }))

  it.live("a corrupted record is bad_record_mac", () =>
    Effect.gen(function*() {
      const { ca, server } = yield* echoServer
      const proxy = yield* tamperingProxy({
        to: server.port,
        onRecord: (direction, _index, record) =>
          direction === "clientToServer" && contentType(record) === contentTypes.applicationData
            ? flipBits(record, -1)
            : record
      })
      const client = yield* echoed(proxy.port, ca)
      assert.strictEqual(alertNumberOfNodeError(yield* client.waitForError), badRecordMac)
      const connection = yield* server.accept
      const error = yield* connection.waitForError
      assert.match(String(Reflect.get(error, "code")), /^ERR_SSL_/)
      assert.strictEqual(alertNumberOfNodeError(error), undefined)
    }))

  it.live("records can be dropped, doubled and cut off by FIN", () =>
    Effect.gen(function*() {
      const raw = yield* rawServer
      const proxy = yield* tamperingProxy({
        to: raw.port,
        onRecord: (direction, index, record) => {
          if (direction === "serverToClient") return record
          if (index === 0) return null
          return index === 1 ? [record, record] : cut("fin", record.subarray(0, 4))
        }
      })
      const client = yield* rawClient(proxy.port)
      for (const description of [10, 20, 30, 40]) yield* client.send(alertRecord(2, description))
      const server = yield* raw.accept
      yield* server.waitForEnd
      assert.deepStrictEqual([...server.received], [...alertRecord(2, 20), ...alertRecord(2, 20), 21, 3, 3, 0])
      yield* server.send(alertRecord(2, 50))
      assert.deepStrictEqual(yield* client.waitForRecords(1), [alertRecord(2, 50)])
    }))

  it.live("records can be cut off by RST", () =>
    Effect.gen(function*() {
      const raw = yield* rawServer
      const proxy = yield* tamperingProxy({
        to: raw.port,
        onRecord: (_direction, _index, record) => cut("reset", record.subarray(0, 3))
      })
      const client = yield* rawClient(proxy.port)
      const server = yield* raw.accept
      yield* server.send(alertRecord(2, 40))
      for (const end of [client, server]) {
        assert.strictEqual(Reflect.get(yield* end.waitForError, "code"), "ECONNRESET")
      }
      assert.deepStrictEqual([...client.received], [21, 3, 3])
    }))

  it.live("chunks pass as they come", () =>
    Effect.gen(function*() {
      const raw = yield* rawServer
      const proxy = yield* tamperingProxy({
        to: raw.port,
        onChunk: (_direction, _index, chunk) => flipBits(chunk, 0, 255)
      })
      const client = yield* rawClient(proxy.port)
      yield* client.send(Uint8Array.of(0, 1))
      assert.deepStrictEqual([...(yield* (yield* raw.accept).waitForBytes(2))], [255, 1])
    }))
})

peerSuite("openssl", (it) => {
  it.live("s_server -rev against node:tls", () =>
    Effect.gen(function*() {
      const files = yield* pkiFiles("chain")
      const server = yield* openSslServer(files.of("chain"))
      const client = yield* nodeTlsClient({ port: server.port, ca: (yield* testPki).ca.certificatePem })
      yield* client.secured
      yield* client.send("hello\n")
      yield* client.waitForText(/olleh\n/)
      yield* client.send("CLOSE\n")
      yield* client.waitForEnd
      yield* server.process.waitFor(/SSL3 alert write:warning:close notify/)
    }))

  it.live("node:tls against s_client", () =>
    Effect.gen(function*() {
      const { server } = yield* echoServer
      const { ca } = yield* pkiFiles()
      const client = yield* openSslClient({ port: server.port, caFile: ca })
      yield* client.waitFor(/Verify return code: 0 \(ok\)/)
      yield* client.send("hello\n")
      yield* client.waitFor(/^hello$/m)
      yield* client.endInput
      assert.strictEqual(yield* client.exit, 0)
      yield* (yield* server.accept).waitForEnd
      assert.strictEqual(alertNumberSent(client.output), undefined)
    }))

  it.live("s_server -www and plain", () =>
    Effect.gen(function*() {
      const files = yield* pkiFiles("ec")
      const ca = (yield* testPki).ca.certificatePem
      const www = yield* openSslServer({
        ...files.of("ec"),
        mode: "www",
        extra: ["-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"]
      })
      const browser = yield* nodeTlsClient({ port: www.port, ca })
      yield* browser.send("GET / HTTP/1.0\r\n\r\n")
      yield* browser.waitForText(/^HTTP\/1.0 200 ok/i)
      yield* browser.waitForEnd
      assert.strictEqual(browser.socket.getCipher().name, "ECDHE-ECDSA-AES128-GCM-SHA256")
      const plain = yield* openSslServer({ ...files.of("ec"), mode: "plain" })
      const client = yield* nodeTlsClient({ port: plain.port, ca })
      yield* client.secured
      yield* plain.process.send("from its input\n")
      yield* client.waitForText(/from its input/)
      yield* client.send("from the client")
      yield* plain.process.waitFor(/from the client/)
    }))

  it.live("s_client rejects what it does not trust, s_server reads why", () =>
    Effect.gen(function*() {
      const files = yield* pkiFiles("untrusted")
      const server = yield* openSslServer(files.of("untrusted"))
      const client = yield* openSslClient({ port: server.port, caFile: files.ca })
      assert.strictEqual(yield* client.exit, 1)
      assert.strictEqual(alertNumberSent(client.output), unknownCa)
      yield* server.process.waitFor(/SSL alert number/)
      assert.strictEqual(fatalAlertNumber(server.process.output), unknownCa)
    }))

  it.live("s_server answers a corrupted record with alert 20", () =>
    Effect.gen(function*() {
      const files = yield* pkiFiles("ec")
      const server = yield* openSslServer(files.of("ec"))
      const proxy = yield* tamperingProxy({
        to: server.port,
        onRecord: (direction, _index, record) =>
          direction === "clientToServer" && contentType(record) === contentTypes.applicationData
            ? flipBits(record, -1)
            : record
      })
      const client = yield* nodeTlsClient({ port: proxy.port, ca: (yield* testPki).ca.certificatePem })
      yield* client.secured
      yield* client.send("hello\n")
      assert.strictEqual(alertNumberOfNodeError(yield* client.waitForError), badRecordMac)
      yield* server.process.waitFor(/SSL3 alert write:fatal:/)
      assert.strictEqual(alertNumberSent(server.process.output), badRecordMac)
    }))
}, "OpenSSL")

peerSuite(["gnutls-serv", "gnutls-cli"], (it) => {
  it.live("gnutls-serv against gnutls-cli", () =>
    Effect.gen(function*() {
      const files = yield* pkiFiles("chain", "client")
      const server = yield* gnuTlsServer({ ...files.of("chain"), clientCaFile: files.ca })
      const client = yield* gnuTlsClient({ port: server.port, caFile: files.ca, ...files.of("client") })
      yield* client.waitFor(/Description: \(TLS1\.2-X\.509\)/)
      yield* client.waitFor(/Simple Client Mode/)
      yield* client.send("hello\n")
      yield* client.waitFor(/^hello$/m)
      yield* client.endInput
      assert.strictEqual(yield* client.exit, 0)
    }))

  it.live("gnutls-cli prints the alert it receives", () =>
    Effect.gen(function*() {
      const files = yield* pkiFiles()
      const { server } = yield* echoServer
      const client = yield* gnuTlsClient({
        port: server.port,
        caFile: files.ca,
        priority: "NORMAL:-VERS-ALL:+VERS-TLS1.2:-ECDHE-ECDSA"
      })
      assert.strictEqual(yield* client.exit, 1)
      assert.strictEqual(fatalAlertNumber(client.output), 40)
    }))
}, "GnuTLS")
