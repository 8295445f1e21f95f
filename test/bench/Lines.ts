import * as Effect from "effect/Effect"
import { testCredential, testPki } from "../harness/Pki.ts"
import { alertLine } from "./AlertDecode.ts"
import { dataLines } from "./Bulk.ts"
import { chainLine, worstChainLine } from "./Certificates.ts"
import { handshakeLines } from "./Handshake.ts"
import { idleLine } from "./Idle.ts"
import type { Line } from "./Line.ts"
import { tls12, tls13, tls13Hybrid } from "./Peer.ts"
import { sessionLines } from "./Sessions.ts"

/** Everything that is measured, for an ECDSA P-256 certificate under a root that the clients trust. */
export const linesOf: Effect.Effect<ReadonlyArray<Line>> = Effect.gen(function*() {
  const [pki, leaf] = [yield* testPki, yield* testCredential("ec")]
  const credentials = {
    certificate: leaf.certificatePem,
    privateKey: leaf.privateKeyPem,
    anchors: pki.ca.certificatePem
  }
  return [
    ...dataLines({ credentials, profile: tls12 }),
    ...handshakeLines({ credentials, profile: tls12 }, { full: 1, resumed: 1.5 }),
    ...dataLines({ credentials, profile: tls13 }),
    ...handshakeLines({ credentials, profile: tls13 }, { full: 0.9, resumed: 0.9 }),
    ...handshakeLines({ credentials, profile: tls13Hybrid }, { full: 0.9, resumed: 0.9 }),
    ...sessionLines(credentials),
    idleLine({ credentials, profile: tls12 }),
    idleLine({ credentials, profile: tls13 }),
    alertLine,
    chainLine,
    worstChainLine
  ]
})
