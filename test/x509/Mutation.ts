/** Good certificates and responses in which something was changed: none of them may be accepted, and nothing else may happen. */
import * as Result from "effect/Result"
import { X509Certificate } from "node:crypto"
import * as Crl from "../../src/x509/Crl.ts"
import { Dice } from "../fuzz/Dice.ts"
import * as Make from "./Maker.ts"

const root = Make.authority("root")
const narrow = Make.authority("narrow", root, {
  more: [Make.nameConstraints({ permitted: [Make.dns("example")], excluded: [Make.dns("other.example")] })]
})
const rsaRoot = Make.authority("rsa root", undefined, { keys: Make.rsaKeys() })
const rich: Parameters<typeof Make.leaf>[1] = {
  subject: [["2.5.4.6", "CH", 0x13], ["2.5.4.10", "Example"], [Make.commonName, "host.example"]],
  names: [Make.dns("host.example"), Make.dns("*.b.example"), Make.address(192, 0, 2, 1), Make.email("a@b.example")],
  more: [
    Make.extension("2.5.29.14", false, Make.octets(new Uint8Array(20))),
    Make.extension("2.5.29.35", false, Make.sequence(Make.tlv(0x80, new Uint8Array(20)))),
    Make.extension("1.2.3.4", false, new Uint8Array(3)),
    Make.mustStaple
  ]
}
const leaf = Make.leaf(narrow, rich)
const rsaLeaf = Make.leaf(rsaRoot, { ...rich, keys: Make.rsaKeys() })
const responder = Make.leaf(narrow, { purpose: "1.3.6.1.5.5.7.3.9", names: [Make.dns("ocsp.example")] })

interface Seed {
  readonly name: string
  readonly bytes: Uint8Array
  /** A good trial with other bytes in the place of those. */
  readonly trial: (bytes: Uint8Array) => Make.Trial
}

const stapled = (bytes: Uint8Array): Make.Trial => ({
  chain: [leaf, narrow],
  anchors: [root],
  peer: { ...Make.host, status: { stapled: bytes } }
})

const seeds: ReadonlyArray<Seed> = [
  { name: "a leaf", bytes: leaf.der, trial: (der) => ({ chain: [{ der }, narrow], anchors: [root] }) },
  { name: "an intermediate", bytes: narrow.der, trial: (der) => ({ chain: [leaf, { der }], anchors: [root] }) },
  { name: "a leaf with RSA", bytes: rsaLeaf.der, trial: (der) => ({ chain: [{ der }], anchors: [rsaRoot] }) },
  { name: "a response", bytes: Make.staple(narrow, leaf), trial: stapled },
  {
    name: "a response of a delegate",
    bytes: Make.staple(narrow, leaf, { signer: responder, certificates: [responder.der] }),
    trial: stapled
  }
]

/** Where elements begin, at any depth. */
const elementsOf = (
  bytes: Uint8Array,
  start = 0,
  end = bytes.length
): ReadonlyArray<readonly [start: number, end: number]> => {
  const found: Array<readonly [number, number]> = []
  for (let at = start; at + 2 <= end;) {
    const first = bytes[at + 1] ?? 0
    const octets = first < 0x80 ? 0 : first & 0x7f
    let length = first < 0x80 ? first : 0
    for (let i = 0; i < octets; i++) length = length * 256 + (bytes[at + 2 + i] ?? 0)
    const content = at + 2 + octets
    if (octets > 3 || content + length > end) break
    found.push([at, content + length])
    const tag = bytes[at] ?? 0
    if ((tag & 0x20) !== 0 || tag === 4) found.push(...elementsOf(bytes, content, content + length))
    at = content + length
  }
  return found
}

const spliced = (bytes: Uint8Array, start: number, end: number, middle: Uint8Array): Uint8Array =>
  new Uint8Array(Buffer.concat([bytes.subarray(0, start), middle, bytes.subarray(end)]))

/** Lengths of what encloses a change are put right, so that the change is reached. */
const repaired = (bytes: Uint8Array, start: number, end: number, middle: Uint8Array): Uint8Array => {
  const around = elementsOf(bytes).filter(([from, to]) => from < start && to >= end).toReversed()
  let result = spliced(bytes, start, end, middle)
  let grown = middle.length - (end - start)
  for (const [from, to] of around) {
    const first = bytes[from + 1] ?? 0
    const header = 2 + (first < 0x80 ? 0 : first & 0x7f)
    const content = result.subarray(from + header, to + grown)
    const element = Make.tlv(bytes[from] ?? 0, content)
    result = spliced(result, from, to + grown, element)
    grown = element.length - (to - from)
  }
  return result
}

type Mutate = (bytes: Uint8Array, dice: Dice) => Uint8Array

const mutations: ReadonlyArray<Mutate> = [
  // A bit.
  (bytes, dice) => {
    const changed = bytes.slice()
    const at = dice.below(bytes.length)
    changed[at] = (changed[at] ?? 0) ^ (1 << dice.below(8))
    return changed
  },
  // A few bytes.
  (bytes, dice) => {
    const changed = bytes.slice()
    changed.set(dice.bytes(1 + dice.below(4)), dice.below(bytes.length - 4))
    return changed
  },
  // Some that are missing, some that are too many.
  (bytes, dice) => {
    const at = dice.below(bytes.length)
    return spliced(bytes, at, Math.min(bytes.length, at + 1 + dice.below(8)), new Uint8Array(0))
  },
  (bytes, dice) => {
    const at = dice.below(bytes.length + 1)
    return spliced(bytes, at, at, dice.bytes(1 + dice.below(4)))
  },
  (bytes, dice) => bytes.slice(0, dice.below(bytes.length)),
  // An element that is missing, is there twice, stands in the place of another, or has another tag.
  (bytes, dice) => {
    const [start, end] = dice.pick(elementsOf(bytes))
    return repaired(bytes, start, end, new Uint8Array(0))
  },
  (bytes, dice) => {
    const [start, end] = dice.pick(elementsOf(bytes))
    return repaired(bytes, end, end, bytes.slice(start, end))
  },
  (bytes, dice) => {
    const elements = elementsOf(bytes)
    const [start, end] = dice.pick(elements)
    const [from, to] = dice.pick(elements)
    return repaired(bytes, start, end, bytes.slice(from, to))
  },
  (bytes, dice) => {
    const [start] = dice.pick(elementsOf(bytes))
    return spliced(bytes, start, start + 1, dice.bytes(1))
  },
  // Other content.
  (bytes, dice) => {
    const [start, end] = dice.pick(elementsOf(bytes))
    return repaired(bytes, start, end, Make.tlv(bytes[start] ?? 0, dice.bytes(dice.below(12))))
  }
]

/** What is wrong with the judgement of one mutation; `undefined` where all is well. */
const violation = (seed: Seed, bytes: Uint8Array): string | undefined => {
  if (Buffer.compare(bytes, seed.bytes) === 0) return undefined
  const found = Make.tried(seed.trial(bytes))
  return Result.isSuccess(found) ? "accepted" : undefined
}

const bodyOf = (der: Uint8Array): Uint8Array => der.subarray(...(elementsOf(der)[1] ?? [0, 0]))

const signedAgain = (body: Uint8Array, issuer: Make.Made, dice: Dice): Uint8Array => {
  const changed = dice.pick(mutations)(body, dice)
  const way = Make.ecdsaSha256
  return Make.sequence(changed, way.identifier, Make.bits(way.sign(changed, issuer.keys.privateKey)))
}

const isInTime = (certificate: X509Certificate): boolean =>
  certificate.validFromDate.getTime() <= Make.now && certificate.validToDate.getTime() >= Make.now

/**
 * The body of the leaf changed, and signed by its authority: it may be accepted, where OpenSSL finds the same name, time and key
 * in it.
 */
const resignedLeaf = (dice: Dice): string | undefined => {
  const der = signedAgain(bodyOf(leaf.der), narrow, dice)
  const found = Make.tried({ chain: [{ der }, narrow], anchors: [root] })
  if (Result.isFailure(found)) return undefined
  const theirs = new X509Certificate(der)
  const isSame = theirs.checkHost("host.example", { subject: "never" })?.toLowerCase() === "host.example" &&
    isInTime(theirs) && theirs.verify(narrow.keys.publicKey) && !theirs.ca &&
    (theirs.keyUsage === undefined || theirs.keyUsage.includes(Make.serverAuth))
  return isSame ? undefined : "accepted, and OpenSSL reads something else in it"
}

/** The same for the intermediate, which has to stay an authority with the same name and key. */
const resignedAuthority = (dice: Dice): string | undefined => {
  const der = signedAgain(bodyOf(narrow.der), root, dice)
  const found = Make.tried({ chain: [leaf, { der }], anchors: [root] })
  if (Result.isFailure(found)) return undefined
  const [theirs, below] = [new X509Certificate(der), new X509Certificate(leaf.der)]
  const isSame = isInTime(theirs) && theirs.verify(root.keys.publicKey) && theirs.ca && below.checkIssued(theirs) &&
    below.verify(theirs.publicKey)
  return isSame ? undefined : "accepted, and OpenSSL reads something else in it"
}

const list = Make.crl(narrow, [leaf.serial, root.serial], {
  extensions: [Make.extension("2.5.29.20", false, Make.integer(1))],
  entryExtensions: [Make.extension("2.5.29.21", false, Make.tlv(10, Uint8Array.of(1)))]
})

/** A revocation list is read or not; signed as it was, it does not tell that the leaf is good. */
const changedList = (dice: Dice): string | undefined => {
  const parsed = Crl.parse(dice.pick(mutations)(list, dice))
  if (Result.isFailure(parsed) || Buffer.compare(parsed.success.issuer.der, narrow.subject) !== 0) return undefined
  const found = Make.tried({ chain: [leaf, narrow], anchors: [root], lists: [parsed.success] })
  return Result.isSuccess(found) ? "accepted" : undefined
}

export interface Report {
  readonly judged: number
  /** Each with the number that it comes back by. */
  readonly violations: ReadonlyArray<string>
}

type Kind = readonly [name: string, judge: (dice: Dice) => string | undefined]

const changed: ReadonlyArray<Kind> = seeds.map((seed) => [
  seed.name,
  (dice) => violation(seed, dice.pick(mutations)(seed.bytes, dice))
])

const others: ReadonlyArray<Kind> = [
  ["a leaf, signed again", resignedLeaf],
  ["an authority, signed again", resignedAuthority],
  ["a revocation list", changedList]
]

/** Judges `count` mutations, of which each depends on the seed and its own number alone. */
export const mutate = (seed: string, count: number): Report => {
  const violations: Array<string> = []
  for (let i = 0; i < count; i++) {
    const dice = new Dice(`${seed}/${i}`)
    const [name, judge] = dice.pick(i % 4 === 3 ? others : changed)
    try {
      const why = judge(dice)
      if (why !== undefined) violations.push(`${seed}/${i}, ${name}: ${why}`)
    } catch (thrown) {
      violations.push(`${seed}/${i}, ${name}: ${String(thrown)}`)
    }
  }
  return { judged: count, violations }
}

/** Before anything is changed. */
export const areGood = (): boolean => seeds.every((seed) => Make.verdictOf(seed.trial(seed.bytes)) === "ok")
