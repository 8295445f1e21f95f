/**
 * Makes test/vectors/handshake-messages.json and test/vectors/zeek-conversations.json out of captures, and
 * test/vectors/rustls-fuzz-message.json out of a fuzz corpus:
 *
 *     node test/message/extractVectors.ts <directory of zeek captures> <fuzz-message.jsonl>
 *
 * It runs by hand: the tests read the files it made.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"

const [captures, corpus] = process.argv.slice(2)
if (captures === undefined || corpus === undefined) throw new Error("usage: extractVectors.ts <captures> <corpus>")

const write = (name: string, value: unknown): void =>
  writeFileSync(new URL(`../vectors/${name}`, import.meta.url), `${JSON.stringify(value, null, 1)}\n`)

interface Flow {
  readonly sourcePort: number
  readonly segments: Array<{ readonly sequence: number; readonly payload: Buffer }>
}

/** The directions of the TCP connections of a capture: classic pcap, Ethernet, IPv4 or IPv6. */
const flowsOf = (file: Buffer): ReadonlyArray<Flow> => {
  const isLittle = file.readUInt32LE(0) === 0xa1b2c3d4
  const uint32 = (at: number): number => isLittle ? file.readUInt32LE(at) : file.readUInt32BE(at)
  if (uint32(0) !== 0xa1b2c3d4) throw new Error("not a capture")
  const link = { 0: 4, 1: 14, 101: 0 }[uint32(20)]
  if (link === undefined) throw new Error(`link type ${uint32(20)}`)
  const flows = new Map<string, Flow>()
  for (let at = 24; at + 16 <= file.length;) {
    const length = uint32(at + 8)
    const packet = file.subarray(at + 16 + link, at + 16 + length)
    at += 16 + length
    const isV6 = (packet[0] ?? 0) >>> 4 === 6
    if ((isV6 ? packet[6] : packet[9]) !== 6) continue
    const ipHeader = isV6 ? 40 : ((packet[0] ?? 0) & 15) * 4
    const end = isV6 ? 40 + packet.readUInt16BE(4) : packet.readUInt16BE(2)
    const tcp = packet.subarray(ipHeader, end)
    const payload = tcp.subarray(((tcp[12] ?? 0) >>> 4) * 4)
    if (payload.length === 0) continue
    const key = `${packet.toString("hex", isV6 ? 8 : 12, ipHeader)} ${tcp.toString("hex", 0, 4)}`
    const flow = flows.get(key) ?? { sourcePort: tcp.readUInt16BE(0), segments: [] }
    flows.set(key, flow)
    flow.segments.push({ sequence: tcp.readUInt32BE(4), payload })
  }
  return [...flows.values()]
}

const bytesOf = (flow: Flow): Buffer => {
  const segments = flow.segments.toSorted((a, b) => a.sequence - b.sequence)
  const parts: Array<Buffer> = []
  let next = segments[0]?.sequence ?? 0
  for (const { payload, sequence } of segments) {
    if (sequence > next) break
    const fresh = payload.subarray(next - sequence)
    parts.push(fresh)
    next += fresh.length
  }
  return Buffer.concat(parts)
}

/** The handshake messages before the first record that is not handshake. */
const messagesOf = (stream: Buffer): ReadonlyArray<Buffer> => {
  const fragments: Array<Buffer> = []
  for (let at = 0; at + 5 <= stream.length && stream[at] === 22;) {
    const end = at + 5 + stream.readUInt16BE(at + 3)
    fragments.push(stream.subarray(at + 5, end))
    at = end
  }
  const handshake = Buffer.concat(fragments)
  const messages: Array<Buffer> = []
  for (let at = 0; at + 4 <= handshake.length;) {
    const end = at + 4 + handshake.readUIntBE(at + 1, 3)
    if (end > handshake.length) break
    messages.push(handshake.subarray(at, end))
    at = end
  }
  return messages
}

// Types of messages wanted from each side, by capture: those that TLS 1.2 with ECDHE knows.
const wanted: ReadonlyArray<readonly [capture: string, port: number, types: ReadonlyArray<number>]> = [
  ["ecdhe.pcap", 56981, [1, 16]],
  ["ecdhe.pcap", 443, [2, 11, 12, 14]],
  ["chrome-34-google.pcap", 55881, [1, 16]],
  ["chrome-34-google.pcap", 443, [2, 11, 12, 14]],
  ["ecdsa-cert.pcap", 49422, [1, 16]],
  ["ecdsa-cert.pcap", 443, [2, 11, 12, 14]],
  ["certificate-request-failed.pcap", 52464, [1, 11]],
  ["certificate-request-failed.pcap", 3000, [2, 13, 14]],
  ["xmpp-dialback-starttls.pcap", 1193, [1, 11, 15, 16]],
  ["xmpp-dialback-starttls.pcap", 5269, [2, 12, 13, 14]],
  ["tls12-decryption.pcap", 48216, [1, 16]],
  ["tls12-decryption.pcap", 443, [2, 12]],
  ["chrome-1250-tls-x25519-kyber.pcap", 13783, [1]]
]

interface Index {
  readonly [capture: string]: ReadonlyArray<{
    readonly from: string
    readonly tlsOffset: number
    readonly records: ReadonlyArray<readonly [type: number, version: string, length: number]>
    readonly alerts: ReadonlyArray<{ readonly level: number | null; readonly description: number | null }>
  }>
}
interface Secret {
  readonly pcap: string
  readonly suite: string
  readonly clientRandom: string
  readonly serverRandom: string
  readonly masterSecret: string
  readonly records: ReadonlyArray<{
    readonly dir: string
    readonly seq: number
    readonly type: number
    readonly plaintext: string
  }>
}
const index = JSON.parse(readFileSync(join(captures, "index.json"), "utf8")) as Index
const secrets = JSON.parse(readFileSync(join(captures, "master-secrets.json"), "utf8")) as ReadonlyArray<Secret>

/** What one side of a capture said in TLS, from its first byte to its last. */
const streamOf = (capture: string, port: number): Buffer => {
  const flow = flowsOf(readFileSync(join(captures, capture))).find(({ sourcePort }) => sourcePort === port)
  const offset = index[capture]?.find(({ from }) => from === `port ${port}`)?.tlsOffset
  if (flow === undefined || offset === undefined) throw new Error(`${capture} has no flow from port ${port}`)
  return bytesOf(flow).subarray(offset)
}

const messages = wanted.flatMap(([capture, port, types]) =>
  messagesOf(streamOf(capture, port))
    .filter(([type = -1]) => types.includes(type))
    .map((message) => ({ capture, from: port, type: message[0], hex: message.toString("hex") }))
)
const finished = secrets.flatMap(({ pcap, records }) =>
  records
    .filter(({ type }) => type === 22)
    .map(({ dir, plaintext }) => ({ capture: pcap, from: `${dir}, decrypted`, type: 20, hex: plaintext }))
)

write("handshake-messages.json", {
  source:
    "zeek/zeek, commit a13de64fbb (2026-08-21), testing/btest/Traces/tls; extracted by test/message/extractVectors.ts",
  licence: "BSD-3-Clause",
  messages: [...messages, ...finished]
})

const conversations = secrets.map(({ clientRandom, masterSecret, pcap, records, serverRandom, suite }) => {
  const clientPort = Number(index[pcap]?.[0]?.from.replace("port ", ""))
  return {
    capture: pcap,
    suite,
    clientRandom,
    serverRandom,
    masterSecret,
    // The protected handshake and alert records, opened with the key log of the capture.
    decrypted: records.map(({ dir, plaintext, seq, type }) => ({ from: dir, seq, type, plaintext })),
    client: streamOf(pcap, clientPort).toString("base64"),
    server: streamOf(pcap, 443).toString("base64")
  }
})

// Flows that end in an alert in the clear; the index says what their records are.
const refused: ReadonlyArray<readonly [capture: string, port: number]> = [
  ["certificate-request-failed.pcap", 3000],
  ["tls-1.2-handshake-failure.pcap", 443],
  ["tls13draft16-chrome55.0.2879.0-canary-aborted.pcap", 443],
  ["tls13draft16-ff52.a01.pcap", 36778]
]
const refusals = refused.map(([capture, port]) => {
  const flow = index[capture]?.find(({ from }) => from === `port ${port}`)
  const [alert] = flow?.alerts ?? []
  if (flow === undefined || alert === undefined) throw new Error(`${capture} has no alert from port ${port}`)
  return {
    capture,
    from: port,
    records: flow.records.map(([type, version, length]) => ({ type, version: parseInt(version, 16), length })),
    alert: { level: alert.level, description: alert.description },
    stream: streamOf(capture, port).toString("base64")
  }
})

write("zeek-conversations.json", {
  source:
    "zeek/zeek, commit a13de64fbb (2026-08-21), testing/btest/Traces/tls; extracted by test/message/extractVectors.ts",
  licence: "BSD-3-Clause",
  conversations,
  refusals
})

interface Sample {
  readonly name: string
  readonly first: string
  readonly firstHandshakeByte: number | null
  readonly b64: string
}
const limit = 90 * 1024
const samples: Array<{ readonly name: string; readonly b64: string }> = []
let size = 0
// One after the other from every kind of message, so that the sample is as varied as the whole.
const kinds = new Map<number | null, Array<Sample>>()
for (const line of readFileSync(corpus, "utf8").trim().split("\n")) {
  const sample = JSON.parse(line) as Sample
  if (sample.first !== "handshake") continue
  const kind = sample.firstHandshakeByte
  kinds.set(kind, [...kinds.get(kind) ?? [], sample])
}
const mostOfKind = Math.max(...[...kinds.values()].map(({ length }) => length))
for (let i = 0; i < mostOfKind; i++) {
  for (const kind of kinds.values()) {
    const sample = kind[i]
    if (sample === undefined) continue
    const entry = { name: sample.name, b64: sample.b64 }
    const length = JSON.stringify(entry).length + 20
    if (size + length > limit) continue
    size += length
    samples.push(entry)
  }
}
write("rustls-fuzz-message.json", {
  source:
    "rustls/rustls, commit 6868ee84dd62 (2026-08-19), fuzz/corpora/message: a sample of the handshake records, one each",
  licence: "Apache-2.0 OR MIT OR ISC",
  samples
})
