/**
 * What Node provides: `Primitives` over `node:crypto`, randomness, and the trust anchors of the system.
 *
 * @since 0.1.0
 */
import * as Layer from "effect/Layer"
import { hash, timingSafeEqual } from "node:crypto"
import { isIP } from "node:net"
import { domainToASCII } from "node:url"
import { Primitives } from "../secret/Primitives.ts"
import { Randomness } from "../service/Randomness.ts"
import type { SystemAnchors } from "../service/Trust.ts"
import { fromLatin1 } from "../wire/Bytes.ts"
import { NodeAeadKey } from "./NodeAead.ts"
import type { NamedGroup } from "../wire/CodePoints.ts"
import { release } from "./NodeBytes.ts"
import { NodeCertificate } from "./NodeCertificate.ts"
import { importPrivateKey } from "./NodeKeys.ts"
import * as NodeHybridShare from "./NodeHybridShare.ts"
import { NodeKeyShare } from "./NodeKeyShare.ts"
import { NodeMac, NodePassingMac } from "./NodeMac.ts"
import * as NodeRandomness from "./NodeRandomness.ts"
import * as NodeRemoteAddress from "./NodeRemoteAddress.ts"
import * as NodeSystemAnchors from "./NodeSystemAnchors.ts"

// What the URL parser behind domainToASCII would cut off, decode or skip in place of refusing it.
const notInHost = /[\p{Cc} #%/:<>?@[\\\]^|]/u
const longestHost = 253
const label = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/
const plainHost = /^[a-z]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z]([a-z0-9-]{0,61}[a-z0-9])?)*$/

const hostToAscii = (host: string): string | undefined => {
  // What the URL parser would leave as it is: it costs more than the rest together, at every connection.
  if (host.length <= longestHost && plainHost.test(host) && !host.includes("xn--")) return host
  if (notInHost.test(host)) return undefined
  const ascii = domainToASCII(host)
  return checkedHost(ascii.endsWith(".") ? ascii.slice(0, -1) : ascii)
}

const checkedHost = (name: string): string | undefined => {
  if (name.length > longestHost || isIP(name) !== 0) return undefined
  return name.split(".").every((part) => label.test(part)) ? name : undefined
}

const curves: ReadonlyArray<NamedGroup> = ["x25519", "secp256r1", "secp384r1", "secp521r1"]

const keyShare: Primitives["Service"]["keyShare"] = (group, privateKey) =>
  group === "x25519mlkem768"
    ? new NodeHybridShare.NodeHybridShare(privateKey)
    : new NodeKeyShare(group, privateKey)

const respond: Primitives["Service"]["respond"] = (group, peer, privateKey) => {
  if (group === "x25519mlkem768") return NodeHybridShare.respond(peer, new NodeKeyShare("x25519", privateKey))
  const share = new NodeKeyShare(group, privateKey)
  const secret = share.agree(peer)
  return secret === undefined ? undefined : { publicKey: share.publicKey, secret }
}

/**
 * @category constructors
 * @since 0.1.0
 */
export const make: Primitives["Service"] = {
  digest: (name, bytes) => fromLatin1(hash(name, bytes, "binary")),
  sha1: (bytes) => fromLatin1(hash("sha1", bytes, "binary")),
  mac: (name, key) => new NodeMac(name, key),
  passingMac: (name, key) => new NodePassingMac(name, key),
  aead: (name, key) => new NodeAeadKey(name, key),
  keyShare,
  respond,
  groups: NodeHybridShare.isAvailable ? [...curves, "x25519mlkem768"] : curves,
  parseCertificate: NodeCertificate.parse,
  importPrivateKey,
  equal: (a, b) => a.length === b.length && timingSafeEqual(a, b),
  // Memory of its own costs a small block ten times as much as a part of Node's pool, which streams of Node are used to.
  allocate: (length) =>
    length < 4096 ? Buffer.allocUnsafe(length) : new Uint8Array(Buffer.allocUnsafeSlow(length).buffer),
  release,
  hostToAscii,
  isAddress: (text) => isIP(text) !== 0
}

/**
 * The primitives alone; `layer` is what an application wants.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerPrimitives: Layer.Layer<Primitives> = Layer.succeed(Primitives, make)

/**
 * Primitives, randomness and system anchors, and the `RemoteAddress` of Node's sockets, which a server reports and logs. Who knows
 * better, as behind a proxy, provides that inside of this.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<Primitives | Randomness | SystemAnchors> = Layer.mergeAll(
  layerPrimitives,
  Layer.succeed(Randomness, NodeRandomness.make(make)),
  NodeSystemAnchors.layer,
  NodeRemoteAddress.layer
)
