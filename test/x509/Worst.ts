/** The dearest chains that fit the limits: what a stranger can make us do at most. */
import * as Make from "./Maker.ts"

const root = Make.authority("worst root")

/** Certificates of one name and many keys: whose signature each has can only be told by trying. */
const tangled = (keys: () => ReturnType<typeof Make.ecKey>): Make.Trial => {
  const all = Array.from({ length: 15 }, keys)
  const subject = Make.name([[Make.commonName, "tangle"]])
  const authorities = all.map((own, i) =>
    Make.authority("tangle", { subject, keys: all[(i + 1) % all.length] ?? own }, { keys: own })
  )
  return { chain: [Make.leaf(authorities[0]), ...authorities], anchors: [root] }
}

const constrained = (
  constraint: (i: number) => Uint8Array,
  name: (i: number) => Uint8Array,
  count: number
): Make.Trial => {
  const excluded = Array.from({ length: count }, (_, i) => constraint(i))
  const names = Array.from({ length: count }, (_, i) => name(i))
  const authority = Make.authority("narrow", root, { more: [Make.nameConstraints({ excluded })] })
  return { chain: [Make.leaf(authority, { names }), authority], anchors: [root] }
}

/** Layers of certificates of one name and key: every way through them is a way, and none leads to the anchor. */
const layered = (attribute: string): Make.Trial => {
  const chain: Array<Make.Made> = []
  const keys = Make.ecKey()
  let above: Pick<Make.Made, "keys" | "subject"> = { keys, subject: Make.name([["2.5.4.10", attribute]]) }
  for (let layer = 0; layer < 5; layer++) {
    const own = Make.ecKey()
    const subject: Make.Attributes = [["2.5.4.10", attribute], [Make.commonName, String(layer)]]
    const issuer = above
    const parallel = Array.from({ length: 3 }, () => Make.authority(subject, issuer, { keys: own }))
    chain.unshift(...parallel)
    above = parallel[0] ?? above
  }
  return { chain: [Make.leaf(above), ...chain], anchors: [root] }
}

const organization = (text: string): Uint8Array => Make.directory([["2.5.4.10", text]])

const long = (i: number): string => `${"a.".repeat(100)}${i}.example`

export const worst: ReadonlyArray<readonly [name: string, trial: () => Make.Trial]> = [
  ["issuers of one name, P-256", () => tangled(() => Make.ecKey())],
  ["issuers of one name, P-384", () => tangled(() => Make.ecKey("P-384"))],
  ["issuers of one name, P-521", () => tangled(() => Make.ecKey("P-521"))],
  ["issuers of one name, RSA-4096", () => tangled(() => Make.rsaKeys(4096))],
  ["three ways in each of five layers", () => layered("x")],
  ["the same with long names", () => layered("x".repeat(1800))],
  [
    "host names and constraints",
    () => constrained((i) => Make.dns(`no${i}.example`), (i) => Make.dns(`yes${i}.example`), 1500)
  ],
  ["long host names and constraints", () => constrained((i) => Make.dns(`x${long(i)}`), (i) => Make.dns(long(i)), 140)],
  [
    "mailboxes and constraints",
    () => constrained((i) => Make.email(`no${i}.example`), (i) => Make.email(`me@yes${i}.example`), 1200)
  ],
  [
    "directory names and constraints",
    () => constrained((i) => organization(`No ${i}`), (i) => organization(`Yes ${i}`), 800)
  ],
  ["names alone", () => ({
    chain: [Make.leaf(root, { names: Array.from({ length: 3800 }, (_, i) => Make.dns(`h${i}.example`)) })],
    anchors: [root]
  })],
  ["a subject of many parts", () => ({
    chain: [Make.leaf(root, { subject: Array.from({ length: 3500 }, () => ["2.5.4.10", "x"] as const) })],
    anchors: [root]
  })],
  ["many extensions", () => ({
    chain: [
      Make.leaf(root, {
        more: Array.from({ length: 3500 }, (_, i) => Make.extension(`1.2.3.${i}`, false, new Uint8Array(0)))
      })
    ],
    anchors: [root]
  })],
  ["an object identifier of 64 bytes, many times", () => ({
    chain: [
      Make.leaf(root, {
        extensions: [
          Make.extendedKeyUsage(
            Make.serverAuth,
            ...Array.from({ length: 900 }, (_, i) => `2.5.${2 ** 50 + i}.1.${"9.".repeat(40)}1`)
          ),
          Make.subjectAltName([Make.dns("host.example")])
        ]
      })
    ],
    anchors: [root]
  })]
]
