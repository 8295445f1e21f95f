/** Real conversations, captured with their keys: every record of both directions opens and says what was said. */
import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import { decodeHandshake } from "../../src/message/HandshakeMessage.ts"
import { make as primitives } from "../../src/platform/NodePrimitives.ts"
import { nullCompression } from "../../src/record/Compression.ts"
import { Inbound, type Incoming } from "../../src/record/Inbound.ts"
import type { Observation } from "../../src/record/Observer.ts"
import { protection12 } from "../../src/record/Protection.ts"
import { suiteOf } from "../../src/secret/CipherSuite.ts"
import { keyBlock, verifyData, type WriteKeys } from "../../src/secret/KeySchedule12.ts"
import * as Prf from "../../src/secret/Prf.ts"
import { Transcript } from "../../src/secret/Transcript.ts"
import { hex, readVectors, toHex } from "../platform/vectors.ts"
import { concat, cut, drain } from "./records.ts"

interface Conversation {
  readonly capture: string
  readonly suite: string
  readonly clientRandom: string
  readonly serverRandom: string
  readonly masterSecret: string
  readonly decrypted: ReadonlyArray<{
    readonly from: "client" | "server"
    readonly seq: number
    readonly type: number
    readonly plaintext: string
  }>
  readonly client: string
  readonly server: string
}
interface Refusal {
  readonly capture: string
  readonly records: ReadonlyArray<{ readonly type: number; readonly version: number; readonly length: number }>
  readonly alert: { readonly level: number; readonly description: number }
  readonly stream: string
}
const { conversations, refusals } = readVectors<{
  readonly conversations: ReadonlyArray<Conversation>
  readonly refusals: ReadonlyArray<Refusal>
}>("zeek-conversations.json")

const limits = { message: 65536, certificateChain: 131072, total: 262144 }
const base64 = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, "base64"))

/** One direction, read from its first byte to its last. */
const read = (stream: Uint8Array, keys: WriteKeys, suiteId: number, chunkLength: number) => {
  const suite = suiteOf(suiteId)
  if (suite === undefined) throw new Error(`no suite ${suiteId}`)
  const observed: Array<Observation> = []
  const inbound = new Inbound({ handshake: limits, observe: (observation) => observed.push(observation) })
  inbound.state.setPending({
    protection: protection12(primitives, suite, keys.key, keys.fixedIv.slice()),
    compression: nullCompression
  })
  const all: Array<Incoming> = []
  for (const chunk of cut(stream, [chunkLength])) {
    inbound.push(chunk)
    for (let incoming = inbound.next(); incoming !== undefined; incoming = inbound.next()) {
      all.push(incoming._tag === "Data" ? { ...incoming, bytes: incoming.bytes.slice() } : incoming)
      if (incoming._tag === "ChangeCipherSpec") assert.strictEqual(inbound.changeCipherSpec(), undefined)
      // The hello settles the version, and the message after ChangeCipherSpec is Finished.
      if (incoming._tag === "Handshake") {
        inbound.settleVersion("1.2")
        if (inbound.state.current.protection.isProtected) inbound.establish()
      }
    }
  }
  return { all, observed }
}

const messagesOf = (all: ReadonlyArray<Incoming>) =>
  all.flatMap((incoming) => incoming._tag === "Handshake" ? [incoming] : [])
const dataOf = (all: ReadonlyArray<Incoming>) =>
  concat(all.flatMap((incoming) => incoming._tag === "Data" ? [incoming.bytes] : []))

describe.each(conversations)("$capture", (conversation) => {
  const id = Number(conversation.suite)
  const suite = suiteOf(id)
  if (suite === undefined) throw new Error(conversation.suite)
  const [clientRandom, serverRandom] = [hex(conversation.clientRandom), hex(conversation.serverRandom)]
  const master = Prf.make(primitives, suite.hash, hex(conversation.masterSecret))
  const keys = keyBlock(master, suite, clientRandom, serverRandom)
  const streams = { client: base64(conversation.client), server: base64(conversation.server) }
  const client = read(streams.client, keys.client, id, 1460)
  const server = read(streams.server, keys.server, id, 1460)

  it("the hellos are of this conversation", () => {
    const hellos = [client, server].map(({ all }) => {
      const [first] = messagesOf(all)
      return first === undefined
        ? undefined
        : Result.getOrUndefined(decodeHandshake(first.type, first.body, "undecided"))
    })
    const randoms = hellos.map((hello) => hello !== undefined && "random" in hello ? toHex(hello.random) : hello)
    assert.deepStrictEqual(randoms, [conversation.clientRandom, conversation.serverRandom])
    assert.isTrue(hellos[1]?._tag === "ServerHello" && hellos[1].cipherSuite === id)
  })

  it("every record opens, and the bytes on the wire are all accounted for", () => {
    for (const [{ all, observed }, stream] of [[client, streams.client], [server, streams.server]] as const) {
      const allowed = ["Handshake", "ChangeCipherSpec", "Data", "Alert"]
      assert.deepStrictEqual(all.filter(({ _tag }) => !allowed.includes(_tag)), [])
      let length = 0
      for (const observation of observed) if (observation._tag === "Record") length += observation.length
      assert.strictEqual(length, stream.length)
    }
  })

  it("the protected messages and alerts are those that were said, under their sequence numbers", () => {
    for (const [{ all, observed }, from] of [[client, "client"], [server, "server"]] as const) {
      const finished = messagesOf(all).at(-1)
      const opened = [
        { type: 22, plaintext: toHex(finished?.bytes) },
        ...all.flatMap((incoming) =>
          incoming._tag === "Alert"
            ? [{ type: 21, plaintext: incoming.alert.description === "close_notify" ? "0100" : "" }]
            : []
        )
      ]
      const sequences = observed.flatMap((observation) =>
        observation._tag === "Record" && observation.isProtected && observation.contentType !== 23
          ? [observation.sequence]
          : []
      )
      assert.deepStrictEqual(
        opened.map((record, i) => ({ from, seq: sequences[i], ...record })),
        conversation.decrypted.filter((record) => record.from === from)
      )
    }
  })

  it("the alert of the client is close_notify, the last thing it said", () => {
    assert.deepStrictEqual(client.all.at(-1), {
      _tag: "Alert",
      alert: { level: "warning", description: "close_notify" },
      verdict: { _tag: "EndOfData", forgets: false }
    })
  })

  it("both Finished verify over the transcript (RFC 5246 section 7.4.9)", () => {
    const transcript = new Transcript()
    transcript.start(primitives, suite.hash)
    const said = { client: messagesOf(client.all), server: messagesOf(server.all) }
    const isFlight2 = (type: number) => type === 2 || (type >= 11 && type <= 14)
    // The order of RFC 5246 figure 1: hello, the server's flight, the client's, and Finished on both sides.
    const order = [
      ...said.client.filter(({ type }) => type === 1),
      ...said.server.filter(({ type }) => isFlight2(type)),
      ...said.client.filter(({ type }) => type !== 1),
      ...said.server.filter(({ type }) => !isFlight2(type))
    ]
    assert.strictEqual(order.length, said.client.length + said.server.length)
    const verified: Array<string> = []
    for (const message of order) {
      if (message.type === 20) {
        const sender = verified.length === 0 ? "client" : "server"
        assert.strictEqual(toHex(message.body), toHex(verifyData(master, sender, transcript.digest())))
        verified.push(sender)
      }
      transcript.add(message.bytes)
    }
    assert.deepStrictEqual(verified, ["client", "server"])
  })

  it("the data is HTTP: requests from the client, and as many answers", () => {
    const [asked, answered] = [client, server].map(({ all }) => Buffer.from(dataOf(all)).toString("latin1"))
    assert.match(asked ?? "", /^GET \/.* HTTP\/1\.1\r\n/)
    assert.match(answered ?? "", /^HTTP\/1\.1 \d{3} /)
    const requests = asked?.match(/^(GET|POST) \S+ HTTP\/1\.1\r$/gm) ?? []
    const answers = answered?.match(/HTTP\/1\.1 \d{3} [\w ]+\r\nServer: nginx\r\n/g) ?? []
    assert.strictEqual(answers.length, requests.length)
    assert.strictEqual(requests.length, client.all.filter(({ _tag }) => _tag === "Data").length)
  })

  it("byte by byte it is the same", () => {
    assert.deepStrictEqual(read(streams.client, keys.client, id, 1), client)
    assert.deepStrictEqual(read(streams.server, keys.server, id, 1), server)
  })

  it("with the keys of the other side no protected record opens", () => {
    const { all } = read(streams.client, keys.server, id, streams.client.length)
    assert.strictEqual(
      all.find(({ _tag }) => _tag !== "Handshake" && _tag !== "ChangeCipherSpec")?._tag,
      "BadRecordMac"
    )
  })
})

describe("handshakes that end in an alert in the clear", () => {
  it.each(refusals)("$capture", ({ alert, records, stream }) => {
    const observed: Array<Observation> = []
    const inbound = new Inbound({ handshake: limits, observe: (observation) => observed.push(observation) })
    inbound.push(base64(stream))
    const all = drain(inbound)
    const last = all.at(-1)
    assert.isTrue(last?._tag === "Alert" && last.verdict._tag === "Terminate")
    const bytes = base64(stream).subarray(-2)
    assert.deepStrictEqual([...bytes], [alert.level, alert.description])
    assert.deepStrictEqual(
      observed.flatMap((observation) =>
        observation._tag === "Record" ? [[observation.contentType, observation.length - 5]] : []
      ),
      records.map(({ length, type }) => [type, length])
    )
  })
})
